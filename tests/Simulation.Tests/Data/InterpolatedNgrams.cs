namespace Chorus.Simulation.Tests.Data;

/// <summary>A word model of interpolated n-grams (Witten and Bell 1991), enough to see what a mixture of texts is worth.</summary>
/// <param name="order">3 for trigrams.</param>
internal sealed class InterpolatedNgrams(int order)
{
    private sealed class Context
    {
        public Dictionary<int, int> Next { get; } = [];
        public int Total { get; set; }
    }

    private const int Begin = 0, End = 1;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal) { ["<begin>"] = Begin, ["<end>"] = End };
    private readonly Dictionary<UInt128, Context>[] _contexts = [.. Enumerable.Range(0, order).Select(_ => new Dictionary<UInt128, Context>())];

    public void Add(IEnumerable<string> texts)
    {
        foreach (string text in texts)
        {
            int[] words = Words(text, grow: true);
            for (int i = order - 1; i < words.Length; i++)
            {
                for (int n = 0; n < order; n++)
                {
                    UInt128 key = Key(words, i, n);
                    if (!_contexts[n].TryGetValue(key, out Context? context)) _contexts[n].Add(key, context = new Context());
                    context.Next[words[i]] = context.Next.GetValueOrDefault(words[i]) + 1;
                    context.Total++;
                }
            }
        }
    }

    /// <summary>Share of words and text ends that the model ranks first, given what stands before.</summary>
    public double Top1(IEnumerable<string> texts)
    {
        int[] frequent = [.. _contexts[0].Values.Single().Next.OrderByDescending(w => w.Value).ThenBy(w => w.Key).Take(20).Select(w => w.Key)];
        long right = 0, all = 0;
        foreach (string text in texts)
        {
            int[] words = Words(text, grow: false);
            for (int i = order - 1; i < words.Length; i++)
            {
                if (Best(words, i, frequent) == words[i]) right++;
                all++;
            }
        }
        return (double)right / all;
    }

    private int Best(int[] words, int i, int[] frequent)
    {
        var contexts = new List<Context>();
        for (int n = 0; n < order && _contexts[n].TryGetValue(Key(words, i, n), out Context? context); n++) contexts.Add(context);
        IEnumerable<int> candidates = contexts.Skip(1).SelectMany(c => c.Next.Keys).Concat(frequent).Distinct();
        return candidates.Select(w => (Word: w, P: Probability(contexts, w))).OrderByDescending(c => c.P).ThenBy(c => c.Word).First().Word;
    }

    private static double Probability(List<Context> contexts, int word)
    {
        double p = 0;
        foreach (Context c in contexts) p = (c.Next.GetValueOrDefault(word) + c.Next.Count * p) / (c.Total + c.Next.Count);
        return p;
    }

    private static UInt128 Key(int[] words, int i, int n)
    {
        UInt128 key = 0;
        for (int j = i - n; j < i; j++) key = (key << 20) | (uint)(words[j] + 1);
        return key;
    }

    private int[] Words(string text, bool grow)
    {
        var ids = new List<int>(Enumerable.Repeat(Begin, order - 1));
        for (int i = 0; i < text.Length;)
        {
            if (text[i] == ' ')
            {
                i++;
                continue;
            }
            int from = i;
            while (i < text.Length && (char.IsLetterOrDigit(text[i]) || text[i] is '-' or '\'' or '$' or '%')) i++;
            if (i == from) i++;
            string word = text[from..i];
            if (!_ids.TryGetValue(word, out int id)) id = grow ? _ids[word] = _ids.Count : -1;
            ids.Add(id);
        }
        ids.Add(End);
        return [.. ids];
    }
}
