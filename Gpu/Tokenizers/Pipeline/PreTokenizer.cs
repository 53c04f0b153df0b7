using System.Text;
using System.Text.RegularExpressions;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>A part of a text that becomes tokens on its own.</summary>
/// <param name="Text">The text that holds it.</param>
/// <param name="OpensText">The piece begins where the whole text begins, before anything was added to it.</param>
internal readonly record struct Piece(string Text, int Start, int Length, bool OpensText)
{
    internal ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);
}

/// <summary>The second step: a text to pieces. One record for each kind that tokenizer.json knows.</summary>
internal abstract partial record PreTokenizer
{
    private static readonly string[] Known =
    [
        "Sequence", "ByteLevel", "Split", "Metaspace", "BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation", "Digits", "CharDelimiterSplit",
    ];

    /// <summary>Words and signs, without the white space.</summary>
    internal static PreTokenizer Bert { get; } =
        new Each([new ByClass(CharacterClasses.IsWhiteSpace, SplitBehaviour.Removed), new ByClass(CharacterClasses.IsPunctuation, SplitBehaviour.Isolated)]);

    internal static PreTokenizer Gpt2(bool addPrefixSpace) => new ByteLevel(addPrefixSpace, UseRegex: true);

    /// <summary>The pieces are to be taken as UTF-8 bytes in GPT-2's alphabet.</summary>
    internal virtual bool IsByteLevel => false;

    /// <summary>Appends the parts of the piece that are not empty.</summary>
    internal abstract void Split(Piece piece, List<Piece> into);

    internal static PreTokenizer Read(ComponentJson? component)
    {
        if (component is not { } json)
            return new Each([]);
        return json.Type switch
        {
            "Sequence" => Each.Of([.. json.Children("pretokenizers").Select(p => Read(p))], json),
            "ByteLevel" => new ByteLevel(json.Flag("add_prefix_space", true), json.Flag("use_regex", true)),
            "Split" => new ByPattern(TextPattern.Read(json.RequiredChild("pattern")), ReadBehaviour(json), json.Flag("invert", false)),
            "Metaspace" => Metaspace.Read(json),
            "BertPreTokenizer" => Bert,
            "Whitespace" => new ByPattern(TextPattern.Of(WordsOrSigns()), SplitBehaviour.Removed, Invert: true),
            "WhitespaceSplit" => new ByClass(CharacterClasses.IsWhiteSpace, SplitBehaviour.Removed),
            "Punctuation" => new ByClass(CharacterClasses.IsPunctuation, json.Has("behavior") ? ReadBehaviour(json) : SplitBehaviour.Isolated),
            "Digits" => new ByClass(CharacterClasses.IsNumber, json.Flag("individual_digits", false) ? SplitBehaviour.Isolated : SplitBehaviour.Contiguous),
            "CharDelimiterSplit" => new ByPattern(TextPattern.Literal(json.Character("delimiter", "")), SplitBehaviour.Removed, Invert: false),
            _ => throw json.Unsupported(Known),
        };
    }

    private static SplitBehaviour ReadBehaviour(ComponentJson json) =>
        Enum.TryParse<SplitBehaviour>(json.RequiredText("behavior"), ignoreCase: true, out var behaviour)
            ? behaviour
            : throw json.Wrong($"behavior must be one of {string.Join(", ", Enum.GetNames<SplitBehaviour>())}, found {json.Text("behavior")}");

    private static void SplitAt(Piece piece, List<Range> matches, SplitBehaviour behaviour, bool invert, List<Piece> into)
    {
        foreach (var part in SplitBehaviours.Cut(piece.Length, matches, behaviour, invert))
        {
            var (start, length) = part.GetOffsetAndLength(piece.Length);
            into.Add(new Piece(piece.Text, piece.Start + start, length, piece.OpensText && start == 0));
        }
    }

    private sealed record Each(PreTokenizer[] Parts) : PreTokenizer
    {
        internal override bool IsByteLevel => Parts.Length > 0 && Parts[^1].IsByteLevel;

        internal static Each Of(PreTokenizer[] parts, ComponentJson json) => parts.SkipLast(1).Any(p => p.IsByteLevel)
            ? throw json.Wrong("ByteLevel is supported only as the last of a sequence")
            : new Each(parts);

        internal override void Split(Piece piece, List<Piece> into)
        {
            if (Parts.Length == 1)
            {
                Parts[0].Split(piece, into);
                return;
            }
            var pieces = new List<Piece> { piece };
            foreach (var part in Parts)
            {
                var next = new List<Piece>(pieces.Count);
                foreach (var p in pieces)
                    part.Split(p, next);
                pieces = next;
            }
            into.AddRange(pieces);
        }
    }

    private sealed record ByPattern(TextPattern Pattern, SplitBehaviour Behaviour, bool Invert) : PreTokenizer
    {
        internal override void Split(Piece piece, List<Piece> into)
        {
            var matches = new List<Range>();
            Pattern.Matches(piece.Span, matches);
            SplitAt(piece, matches, Behaviour, Invert, into);
        }
    }

    private sealed record ByClass(Func<Rune, bool> Class, SplitBehaviour Behaviour) : PreTokenizer
    {
        internal override void Split(Piece piece, List<Piece> into)
        {
            var matches = new List<Range>();
            var at = 0;
            foreach (var rune in piece.Span.EnumerateRunes())
            {
                if (Class(rune))
                    matches.Add(at..(at + rune.Utf16SequenceLength));
                at += rune.Utf16SequenceLength;
            }
            SplitAt(piece, matches, Behaviour, invert: false, into);
        }
    }

    private sealed record ByteLevel(bool AddPrefixSpace, bool UseRegex) : PreTokenizer
    {
        private static readonly TextPattern Words = TextPattern.Of(Gpt2Words());

        internal override bool IsByteLevel => true;

        internal override void Split(Piece piece, List<Piece> into)
        {
            if (AddPrefixSpace && piece.Length > 0 && piece.Span[0] != ' ')
                piece = piece with { Text = string.Concat(" ", piece.Span), Start = 0, Length = piece.Length + 1 };
            if (!UseRegex)
            {
                into.Add(piece);
                return;
            }
            var matches = new List<Range>();
            Words.Matches(piece.Span, matches);
            SplitAt(piece, matches, SplitBehaviour.Isolated, invert: false, into);
        }
    }

    /// <summary>SentencePiece's spaces: each becomes a visible sign, and one may be put before the text.</summary>
    private sealed record Metaspace(string Replacement, string Scheme, bool Splits) : PreTokenizer
    {
        internal static Metaspace Read(ComponentJson json)
        {
            // Older files say add_prefix_space.
            var scheme = json.Text("prepend_scheme") ?? (json.Flag("add_prefix_space", true) ? "always" : "never");
            return scheme is "always" or "first" or "never"
                ? new Metaspace(json.Character("replacement", "\u2581"), scheme, json.Flag("split", true))
                : throw json.Wrong($"prepend_scheme must be always, first or never, found {scheme}");
        }

        internal override void Split(Piece piece, List<Piece> into)
        {
            var text = piece.Span.ToString().Replace(" ", Replacement, StringComparison.Ordinal);
            var prepends = Scheme == "always" || (Scheme == "first" && piece.OpensText);
            if (prepends && text.Length > 0 && !text.StartsWith(Replacement, StringComparison.Ordinal))
                text = Replacement + text;
            var whole = new Piece(text, 0, text.Length, piece.OpensText);
            var matches = new List<Range>();
            if (Splits)
            {
                for (var at = 0; (at = text.IndexOf(Replacement, at, StringComparison.Ordinal)) >= 0; at += Replacement.Length)
                    matches.Add(at..(at + Replacement.Length));
            }
            SplitAt(whole, matches, SplitBehaviour.MergedWithNext, invert: false, into);
        }
    }

    // GPT-2's words (Radford et al. 2019): contractions, and letters, digits or signs each with the space before them.
    [GeneratedRegex(@"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2Words();

    [GeneratedRegex(@"[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u200c\u200d\u24b6-\u24e9]+|[^\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u200c\u200d\u24b6-\u24e9\s]+", RegexOptions.CultureInvariant)]
    private static partial Regex WordsOrSigns();
}
