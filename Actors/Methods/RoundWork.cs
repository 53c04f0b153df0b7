using Chorus.Actors.Settings;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;
using Chorus.Simulation.PrivateEvolution;

namespace Chorus.Actors.Methods;

/// <summary>What the clients of a run do in a round, by its method.</summary>
public static class RoundWork
{
    /// <summary>The work of a run's clients on their node.</summary>
    /// <param name="publicTexts">The public set.</param>
    /// <param name="trainers">Makes what clients train with; null where this node cannot.</param>
    /// <exception cref="SettingsException">The method needs what the node has not.</exception>
    public static ClientWorkFactory Of(RunSettings settings, IReadOnlyList<string> publicTexts, ClientTrainerFactory? trainers)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (!settings.Method.TrainsAtClients())
            return Of(ScorerOf(settings));
        return trainers is null
            ? throw new SettingsException($"this node cannot train, as the clients of {settings.Method.NameOf()} do")
            : trainers(settings, publicTexts);
    }

    /// <summary>Voting with a scorer over the round's candidates.</summary>
    public static ClientWorkFactory Of(VoteScorerFactory scorer) => array => scorer(EmbeddingMatrix.FromBytes(array.Span));

    /// <summary>The same work as the coordinator needs it: to know how long a vote is and, of votes on candidates, what scores they mean.</summary>
    public static ClientWorkFactory AtCoordinator(RunSettings settings) => settings.Method.TrainsAtClients()
        ? weights => new Weights(weights.Length / sizeof(float))
        : Of(ScorerOf(settings));

    /// <summary>What clients vote with.</summary>
    public static VoteScorerFactory ScorerOf(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var popri = settings.Popri;
        if (settings.Method is Method.Pe or Method.PeSft)
            return candidates => new NeighbourScorer(candidates);
        return popri.Release == VoteRelease.Subspace
            ? candidates => new SubspaceScorer(candidates, popri.CentreByPrompt ? popri.Samples : candidates.Rows, popri.Votes == VoteContent.Shift)
            : candidates => new CandidateScorer(candidates);
    }

    private sealed record Weights(int VoteLength) : IClientWork;
}

/// <summary>Makes what the clients of a run train with on this node.</summary>
public delegate ClientWorkFactory ClientTrainerFactory(RunSettings settings, IReadOnlyList<string> publicTexts);
