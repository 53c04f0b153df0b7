using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;

namespace Chorus.Simulation.Popri;

/// <summary>
/// Makes clients' votes against one set of candidates, and candidates' scores from the votes' sum: in one number a
/// candidate (<see cref="CandidateScorer"/>) or in the few dimensions that matter (<see cref="SubspaceScorer"/>). Either
/// way a client moves the sum by at most 1. Immutable; any number of threads may vote.
/// </summary>
public interface IVoteScorer : IClientWork
{
    /// <summary>Number of candidates.</summary>
    int Count { get; }

    /// <summary>Numbers in an embedding.</summary>
    int Dimension { get; }

    /// <summary>One client's vote.</summary>
    /// <param name="textEmbeddings">The client's texts [n, Dimension], row-major; rows of any length, a zero row adds nothing.</param>
    /// <param name="vote">[VoteLength], overwritten; of norm at most 1 in exact arithmetic, zero unless the result is Counted.</param>
    VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote);

    /// <summary>The scores of all candidates from a sum of votes, with noise or without.</summary>
    /// <param name="sum">[VoteLength].</param>
    /// <returns>[Count], owned by the caller.</returns>
    double[] Scores(ReadOnlySpan<double> sum);
}

/// <summary>Makes what clients vote with from the embeddings of a round's candidates.</summary>
public delegate IVoteScorer VoteScorerFactory(EmbeddingMatrix candidates);
