using Chorus.Actors.Settings;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Methods;

/// <summary>What the clients of a run do in a round, by its method.</summary>
public static class RoundWork
{
    /// <summary>The work of a run's clients; every node, and the coordinator, make the same.</summary>
    public static ClientWorkFactory Of(RunSettings settings) => Of(ScorerOf(settings));

    /// <summary>Voting with a scorer over the round's candidates.</summary>
    public static ClientWorkFactory Of(VoteScorerFactory scorer) => array => scorer(EmbeddingMatrix.FromBytes(array.Span));

    /// <summary>What clients vote with.</summary>
    public static VoteScorerFactory ScorerOf(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return candidates => new CandidateScorer(candidates);
    }
}
