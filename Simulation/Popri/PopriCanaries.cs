using System.Collections.Immutable;
using System.Globalization;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Popri;

/// <summary>
/// Clients made to be found: each owns one text, which is a candidate too, and the embeddings of no two texts share a
/// coordinate. A vote then points at its owner's candidate and at nobody else's, so a release says as much of each
/// canary as a release of that one alone would.
/// </summary>
/// <remarks>
/// A text is a single character that is neither letter, digit nor space: for <see cref="HashedNgramEncoder"/> one feature,
/// eight coordinates. Characters are taken in the order of their code points, so the same encoder gives the same canaries.
/// </remarks>
public sealed class PopriCanaries
{
    /// <summary>Times that a canary holds its text: a vote that is not clipped shows in its length.</summary>
    public const int CopiesOfText = 4;

    private static readonly UnicodeCategory[] Standalone =
    [
        UnicodeCategory.MathSymbol, UnicodeCategory.OtherSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.DashPunctuation,
        UnicodeCategory.OpenPunctuation, UnicodeCategory.ClosePunctuation, UnicodeCategory.OtherPunctuation, UnicodeCategory.PrivateUse,
    ];

    private readonly double[][] _votes;

    private PopriCanaries(ImmutableArray<string> texts, double[][] votes) => (Texts, _votes) = (texts, votes);

    /// <summary>Candidate i is canary i's text.</summary>
    public ImmutableArray<string> Texts { get; }

    /// <summary>The largest |inner product| of two canaries' votes: 1 / (Count - 1), what centring leaves.</summary>
    public double Overlap { get; private init; }

    /// <param name="encoder">The run's.</param>
    /// <param name="count">At least 2; half of encoder.Dimension / 8 finds room, the last ones hardly.</param>
    /// <exception cref="ArgumentException">There are not so many in that dimension.</exception>
    /// <param name="scorer">What clients vote with; null: the published vote.</param>
    public static PopriCanaries Choose(ISentenceEncoder encoder, int count, VoteScorerFactory? scorer = null)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        if (count < 2)
            throw new ArgumentOutOfRangeException(nameof(count), $"canaries must number at least 2, got {count}");
        var texts = ImmutableArray.CreateBuilder<string>(count);
        var taken = new bool[encoder.Dimension];
        var embedding = new float[encoder.Dimension];
        for (var c = '\u00a1'; c < '\uffff' && texts.Count < count; c++)
        {
            if (!Standalone.Contains(CharUnicodeInfo.GetUnicodeCategory(c)))
                continue;
            encoder.Encode([c.ToString()], embedding);
            if (Enumerable.Range(0, taken.Length).Any(j => taken[j] && embedding[j] != 0) || Array.TrueForAll(embedding, x => x == 0))
                continue;
            for (int j = 0; j < taken.Length; j++)
                taken[j] |= embedding[j] != 0;
            texts.Add(c.ToString());
        }

        if (texts.Count < count)
            throw new ArgumentException($"{encoder.Dimension} dimensions have room for {texts.Count} canaries whose votes do not overlap, not for {count}: raise encoder.dimension or ask for fewer");
        return Of(encoder, texts.MoveToImmutable(), scorer ?? (candidates => new CandidateScorer(candidates)));
    }

    /// <summary>How much a release looks as if each canary were in it: its inner product with the canary's own vote.</summary>
    /// <param name="released">The noised sum, as long as a vote.</param>
    /// <returns>[Texts.Length]; a canary that is in adds 1 to its own score.</returns>
    public double[] Scores(ReadOnlySpan<double> released)
    {
        var scores = new double[_votes.Length];
        for (int i = 0; i < scores.Length; i++)
            scores[i] = FixedOrder.Dot((ReadOnlySpan<double>)_votes[i], released);
        return scores;
    }

    private static PopriCanaries Of(ISentenceEncoder encoder, ImmutableArray<string> texts, VoteScorerFactory factory)
    {
        IVoteScorer scorer = factory(EmbeddingMatrix.Encode(encoder, texts));
        var votes = new double[texts.Length][];
        var own = new float[CopiesOfText * encoder.Dimension];
        for (int i = 0; i < votes.Length; i++)
        {
            encoder.Encode([.. Enumerable.Repeat(texts[i], CopiesOfText)], own);
            scorer.Vote(own, votes[i] = new double[scorer.VoteLength]);
        }

        double overlap = 0;
        for (int i = 0; i < votes.Length; i++)
        {
            for (int j = 0; j < i; j++)
                overlap = Math.Max(overlap, Math.Abs(FixedOrder.Dot((ReadOnlySpan<double>)votes[i], votes[j])));
        }

        return new(texts, votes) { Overlap = overlap };
    }
}
