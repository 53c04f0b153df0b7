using System.Collections.Immutable;
using Chorus.Actors.Runs;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Policy;

/// <summary>
/// The policy's language model as its actor sees it. Synchronous; the actor calls it on its device's own thread only.
/// Prompts are lists of public texts. Equal arguments and equal adapter give equal results.
/// </summary>
public interface IPolicy : IDisposable
{
    /// <summary>Puts the adapter of a folder in place, or a fresh one that changes nothing for null.</summary>
    void LoadAdapter(string? directory);

    /// <summary>Writes candidates: index = prompt x samples + sample.</summary>
    IReadOnlyList<CandidateText> Generate(
        IReadOnlyList<IReadOnlyList<string>> prompts, int samplesPerPrompt, ulong seed, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Tunes the adapter on preference pairs.</summary>
    TuningSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> prompts, IReadOnlyList<CandidateText> candidates, int samplesPerPrompt,
        ImmutableArray<PreferencePair> pairs, ulong seed, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Saves the adapter whole or not at all.</summary>
    /// <returns>SHA-256 of its weights.</returns>
    string SaveAdapter(string directory);
}

/// <summary>What a tuning did.</summary>
public sealed record TuningSummary(int Steps, double FirstLoss, double LastLoss, double RewardAccuracy);
