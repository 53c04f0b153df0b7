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

    /// <summary>Writes a text for each variation: one that begins as its parent does.</summary>
    IReadOnlyList<CandidateText> Vary(IReadOnlyList<TextVariation> variations, ulong seed, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Tunes the adapter to texts: plain next-token training.</summary>
    TuningSummary FineTune(
        IReadOnlyList<CandidateText> texts, double learningRate, int epochs, ulong seed, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Tunes the adapter on preference pairs.</summary>
    TuningSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> prompts, IReadOnlyList<CandidateText> candidates, int samplesPerPrompt,
        ImmutableArray<PreferencePair> pairs, ulong seed, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Saves the adapter whole or not at all.</summary>
    /// <returns>SHA-256 of its weights.</returns>
    string SaveAdapter(string directory);
}

/// <summary>A text that is to begin as another does.</summary>
/// <param name="Examples">Texts shown before it: public, or the policy's own.</param>
/// <param name="Parent">The text that it begins as.</param>
/// <param name="Keep">The share of the parent's tokens that it begins with, in [0, 1).</param>
public sealed record TextVariation(IReadOnlyList<string> Examples, CandidateText Parent, double Keep);

/// <summary>What a tuning did.</summary>
public sealed record TuningSummary(int Steps, double FirstLoss, double LastLoss, double RewardAccuracy);
