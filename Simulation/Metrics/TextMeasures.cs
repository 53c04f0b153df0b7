using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>What synthetic texts are like beside held-out ones: how near, how varied, how much is copied.</summary>
/// <remarks>
/// Held-out texts show what real texts of other people score: a grammar's or a language's stock phrases make any two texts
/// share some words. Copying from private texts is an exact figure of theirs, no part of what a budget covers.
/// </remarks>
/// <param name="Mauve">Likeness to the held-out texts; null where there are too few texts for it.</param>
/// <param name="CopiedWords">Words from which a shared run counts as copied.</param>
/// <param name="Synthetic">Of the synthetic texts.</param>
/// <param name="HeldOut">Of the held-out texts: what to compare with.</param>
public sealed record TextMeasures(double? Mauve, int CopiedWords, TextSetMeasures Synthetic, TextSetMeasures HeldOut)
{
    private const int FewestForMauve = 20;

    /// <param name="synthetic">At least one text.</param>
    /// <param name="corpus">The data.</param>
    /// <param name="encoder">The run's encoder.</param>
    /// <param name="copiedWords">See <see cref="CopiedWords"/>; at least 1.</param>
    /// <param name="privateClients">Look for copies in the texts of the first so many clients; 0 leaves all private texts alone.</param>
    public static TextMeasures Of(IReadOnlyList<string> synthetic, FederatedCorpus corpus, ISentenceEncoder encoder, int copiedWords, int privateClients)
    {
        ArgumentNullException.ThrowIfNull(synthetic);
        ArgumentNullException.ThrowIfNull(corpus);
        double? mauve = Math.Min(synthetic.Count, corpus.Eval.Length) >= FewestForMauve
            ? Metrics.Mauve.Between(EmbeddingMatrix.Encode(encoder, synthetic), EmbeddingMatrix.Encode(encoder, corpus.Eval))
            : null;
        // One pass over each corpus for both sets.
        var runs = new CopiedRuns(synthetic.Concat(corpus.Eval));
        foreach (string text in corpus.Initial)
            runs.Read(text);
        int[] fromPublic = runs.Longest();
        int[]? fromPrivate = null;
        if (privateClients > 0)
        {
            runs.Forget();
            for (int client = 0; client < privateClients; client++)
            {
                foreach (string text in corpus.Clients.ReadTexts(client))
                    runs.Read(text);
            }

            fromPrivate = runs.Longest();
        }

        int compared = Math.Min(synthetic.Count, corpus.Eval.Length);   // distinct-n falls with the number of texts
        return new TextMeasures(
            mauve, copiedWords, Measure(synthetic, ..synthetic.Count), Measure(corpus.Eval, synthetic.Count..));

        TextSetMeasures Measure(IReadOnlyList<string> texts, Range at)
        {
            string[] same = [.. Enumerable.Range(0, compared).Select(i => texts[(int)((long)i * texts.Count / compared)])];
            return new TextSetMeasures(
                compared, DistinctNgrams.Share(same, 1), DistinctNgrams.Share(same, 2), DistinctNgrams.Share(same, 3),
                CopyShare.Of(fromPublic[at], copiedWords), fromPrivate is null ? null : CopyShare.Of(fromPrivate[at], copiedWords));
        }
    }
}

/// <summary>Measures of one set of texts.</summary>
/// <param name="Compared">Texts, evenly over all, that distinct-n looks at: as many of each set.</param>
/// <param name="Distinct1">Different words over all words.</param>
/// <param name="Distinct2">Different pairs of neighbouring words over all pairs.</param>
/// <param name="Distinct3">Different runs of three words over all runs.</param>
/// <param name="PublicCopies">Runs of words shared with public texts.</param>
/// <param name="PrivateCopies">Runs of words shared with private texts: not private. Null unless asked for.</param>
public sealed record TextSetMeasures(
    int Compared, double? Distinct1, double? Distinct2, double? Distinct3, CopyShare PublicCopies, CopyShare? PrivateCopies);
