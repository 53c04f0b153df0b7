namespace Chorus.Simulation.Metrics;

/// <summary>
/// How varied texts are: different runs of n words over all runs of n words (distinct-n; Li et al., arXiv:1510.03055,
/// section 5). It falls with the number of texts, so only sets of one size are to be compared.
/// </summary>
public static class DistinctNgrams
{
    /// <summary>The longest run: its words' numbers fit one key.</summary>
    public const int LongestRun = 4;

    /// <param name="texts">Runs do not cross from one text into the next. Case and punctuation make no difference.</param>
    /// <param name="n">Words in a run, from 1 to <see cref="LongestRun"/>.</param>
    /// <returns>In (0, 1]; null where no text has n words.</returns>
    public static double? Share(IEnumerable<string> texts, int n)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (n is < 1 or > LongestRun)
            throw new ArgumentOutOfRangeException(nameof(n), $"n must be in [1, {LongestRun}], got {n}");
        var vocabulary = new Vocabulary();
        var different = new HashSet<UInt128>();
        long all = 0;
        foreach (string text in texts)
        {
            int[] words = vocabulary.Learn(text);
            for (int i = 0; i + n <= words.Length; i++, all++)
            {
                UInt128 key = 0;
                for (int j = 0; j < n; j++)
                    key = (key << 32) | (uint)words[i + j];
                different.Add(key);
            }
        }

        return all > 0 ? (double)different.Count / all : null;
    }
}
