namespace Chorus.Simulation.Popri;

/// <summary>
/// A scorer with which the votes of many clients are one matrix product. The steps of a vote, in their order:
/// <list type="number">
/// <item>each client sums its own texts up (<see cref="Summarise"/>);</item>
/// <item>all summaries are multiplied at once (<see cref="Multiply"/>), by whoever holds them together;</item>
/// <item>each client makes its vote from its own products (<see cref="Finish"/>).</item>
/// </list>
/// <see cref="IVoteScorer.Vote"/> is these three for one client, to the bit: a product's bits do not depend on who else is in it.
/// </summary>
public interface IBlockScorer : IVoteScorer
{
    /// <summary>A client's own part, before the product.</summary>
    /// <param name="textEmbeddings">The client's texts [n, Dimension], row-major.</param>
    /// <param name="summary">[Dimension], overwritten; zero unless the result is Counted.</param>
    VoteKind Summarise(ReadOnlySpan<float> textEmbeddings, Span<double> summary);

    /// <summary>The product of summaries with the candidates.</summary>
    /// <param name="summaries">[clients, Dimension], row-major.</param>
    /// <param name="products">[clients, VoteLength], row-major; overwritten.</param>
    void Multiply(ReadOnlySpan<double> summaries, Span<double> products);

    /// <summary>A client's own part, after the product: in place its products become its vote.</summary>
    /// <param name="texts">How many texts its summary was of, at least 1.</param>
    /// <param name="vote">[VoteLength] products; then of norm at most 1 in exact arithmetic, zero unless the result is Counted.</param>
    VoteKind Finish(int texts, Span<double> vote);
}
