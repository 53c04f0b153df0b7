using System.Collections.Immutable;

namespace Chorus.Simulation.Data.Synthesis;

/// <summary>One topic: its name for the reader of the code, and its own phrases, <c>slot: phrase | phrase | ...</c> a line, most usual first.</summary>
internal sealed record Topic(string Name, string Phrases);

/// <summary>One style: how a text opens and closes, one template a line, most usual first.</summary>
internal sealed record Style(string Name, string Openings, string Closings);

/// <summary>A grammar as it is written down.</summary>
/// <param name="Topics"><see cref="Mixtures.Topics"/> topics, each with the same slots.</param>
/// <param name="Styles"><see cref="Mixtures.Styles"/> styles.</param>
/// <param name="Bodies">Sentence frames, one a line; which are usual depends on the topic.</param>
/// <param name="Habits">Slots whose filling depends on the style: one phrase for each style, in their order.</param>
/// <param name="Shared">Slots that all topics share; which phrases are usual depends on the topic.</param>
internal sealed record GrammarSource(
    ImmutableArray<Topic> Topics, ImmutableArray<Style> Styles, string Bodies, string Habits, string Shared);

/// <summary>A weighted choice among templates, most usual first.</summary>
/// <param name="Options">The templates.</param>
/// <param name="Cumulative">Running totals of their weights.</param>
internal sealed record Choice(ImmutableArray<Template> Options, int[] Cumulative)
{
    /// <summary>Each option is 3/5 as usual as the one before: the first of six has 42%, so guessing pays and is not enough.</summary>
    public static Choice Of(IEnumerable<Template> options)
    {
        ImmutableArray<Template> all = [.. options];
        int[] cumulative = new int[all.Length];
        int total = 0, weight = 10_000;
        for (int k = 0; k < all.Length; k++, weight = Math.Max(1, weight * 3 / 5)) cumulative[k] = total += weight;
        return new Choice(all, cumulative);
    }
}

/// <summary>Words with slots in between: literal, slot, literal, ... ; a slot is -1 where there is none.</summary>
internal readonly record struct Piece(string Literal, int Slot, bool Capital);

/// <summary>A compiled template.</summary>
internal sealed record Template(ImmutableArray<Piece> Pieces);

/// <summary>A grammar ready to write texts with: slots resolved to numbers, orders of preference fixed.</summary>
internal sealed class Grammar
{
    /// <summary>Keys the orders in which topics prefer frames and shared phrases; a new value is a new grammar.</summary>
    private const ulong OrderKey = 0x43484F525553;

    private readonly Dictionary<string, int> _slots = new(StringComparer.Ordinal);

    public Grammar(GrammarSource source)
    {
        ImmutableArray<(string Slot, ImmutableArray<string> Phrases)> habits = Parse(source.Habits), shared = Parse(source.Shared);
        ImmutableArray<(string Slot, ImmutableArray<string> Phrases)>[] topics = [.. source.Topics.Select(t => Parse(t.Phrases))];
        if (topics.Length != Mixtures.Topics || source.Styles.Length != Mixtures.Styles)
            throw new ArgumentException($"a grammar has {Mixtures.Topics} topics and {Mixtures.Styles} styles, got {topics.Length} and {source.Styles.Length}");
        foreach ((string slot, ImmutableArray<string> phrases) in habits)
        {
            if (phrases.Length != Mixtures.Styles) throw new ArgumentException($"habit {slot} must have {Mixtures.Styles} phrases, got {phrases.Length}");
        }
        foreach (string slot in habits.Concat(shared).Concat(topics[0]).Select(s => s.Slot)) _slots.Add(slot, _slots.Count);

        TopicNames = [.. source.Topics.Select(t => t.Name)];
        Habits = [.. habits.Select(h => h.Phrases.Select(Compile).ToImmutableArray())];
        Openings = [.. source.Styles.Select(s => Choice.Of(Lines(s.Openings).Select(Compile)))];
        Closings = [.. source.Styles.Select(s => Choice.Of(Lines(s.Closings).Select(Compile)))];
        Template[] bodies = [.. Lines(source.Bodies).Select(Compile)];
        Bodies = [.. topics.Select((_, t) => Choice.Of(Ordered(bodies, t, 0)))];
        Slots = [.. topics.Select((own, t) => Fill(own, shared, t, topics[0], source.Topics[t].Name))];
    }

    /// <summary>The topics' names.</summary>
    public ImmutableArray<string> TopicNames { get; }

    /// <summary>Templates by habit and style.</summary>
    public ImmutableArray<ImmutableArray<Template>> Habits { get; }

    /// <summary>Choices by topic and slot, behind the habits: slot number minus the number of habits.</summary>
    public ImmutableArray<ImmutableArray<Choice>> Slots { get; }

    /// <summary>Opening sentences by style.</summary>
    public ImmutableArray<Choice> Openings { get; }

    /// <summary>Closing sentences by style.</summary>
    public ImmutableArray<Choice> Closings { get; }

    /// <summary>Sentence frames by topic.</summary>
    public ImmutableArray<Choice> Bodies { get; }

    private ImmutableArray<Choice> Fill(
        ImmutableArray<(string Slot, ImmutableArray<string> Phrases)> own, ImmutableArray<(string Slot, ImmutableArray<string> Phrases)> shared,
        int topic, ImmutableArray<(string Slot, ImmutableArray<string> Phrases)> first, string name)
    {
        if (!own.Select(s => s.Slot).SequenceEqual(first.Select(s => s.Slot)))
            throw new ArgumentException($"topic {name} must have the slots {string.Join(", ", first.Select(s => s.Slot))}");
        return [.. shared.Select((s, i) => Choice.Of(Ordered([.. s.Phrases.Select(Compile)], topic, i + 1))), .. own.Select(s => Choice.Of(s.Phrases.Select(Compile)))];
    }

    /// <summary>An order of preference that follows from topic and list.</summary>
    private static Template[] Ordered(Template[] options, int topic, int list)
    {
        var random = new KeyedRandom(OrderKey, (ulong)list, (ulong)topic);
        Template[] ordered = [.. options];
        for (int i = ordered.Length - 1; i > 0; i--)
        {
            int j = random.Below(i + 1);
            (ordered[i], ordered[j]) = (ordered[j], ordered[i]);
        }
        return ordered;
    }

    private Template Compile(string text)
    {
        var pieces = ImmutableArray.CreateBuilder<Piece>();
        for (int at = 0; at < text.Length;)
        {
            int open = text.IndexOf('{', at);
            if (open < 0)
            {
                pieces.Add(new Piece(text[at..], -1, false));
                break;
            }
            int close = text.IndexOf('}', open);
            if (close < 0) throw new ArgumentException($"template \"{text}\" has a slot without its end");
            string name = text[(open + 1)..close];
            bool capital = char.IsAsciiLetterUpper(name[0]);
            if (!_slots.TryGetValue(name.ToLowerInvariant(), out int slot)) throw new ArgumentException($"template \"{text}\" names no slot: {name}");
            pieces.Add(new Piece(text[at..open], slot, capital));
            at = close + 1;
        }
        return new Template(pieces.ToImmutable());
    }

    private static IEnumerable<string> Lines(string text) =>
        text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static ImmutableArray<(string Slot, ImmutableArray<string> Phrases)> Parse(string text) =>
        [.. Lines(text).Select(line =>
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            return (line[..colon].Trim(), line[(colon + 1)..].Split('|', StringSplitOptions.TrimEntries).ToImmutableArray());
        })];
}
