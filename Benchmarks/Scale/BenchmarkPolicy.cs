using System.Collections.Immutable;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Simulation.Popri;

namespace Chorus.Benchmarks.Scale;

/// <summary>A policy without a model: other drawn words each round. What is timed beside the rounds is timed here, while no client votes.</summary>
/// <param name="beside">Called once before each round.</param>
internal sealed class BenchmarkPolicy(Action beside) : IPolicy
{
    public void LoadAdapter(string? directory)
    {
    }

    public IReadOnlyList<CandidateText> Generate(
        IReadOnlyList<IReadOnlyList<string>> prompts, int samplesPerPrompt, ulong seed, Action<long, long, string> progress, CancellationToken ct)
    {
        beside();
        return [.. BenchmarkCorpus.Texts(seed, prompts.Count * samplesPerPrompt).Select(text => new CandidateText(text, [], Ended: true))];
    }

    public IReadOnlyList<CandidateText> Vary(
        IReadOnlyList<TextVariation> variations, ulong seed, Action<long, long, string> progress, CancellationToken ct) => throw new NotSupportedException();

    public TuningSummary FineTune(
        IReadOnlyList<CandidateText> texts, double learningRate, int epochs, ulong seed, Action<long, long, string> progress, CancellationToken ct) => throw new NotSupportedException();

    public TuningSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> prompts, IReadOnlyList<CandidateText> candidates, int samplesPerPrompt,
        ImmutableArray<PreferencePair> pairs, ulong seed, Action<long, long, string> progress, CancellationToken ct) => new(0, 0, 0, 0);

    public string SaveAdapter(string directory) => RunData.Sha256("none");

    public void Dispose()
    {
    }
}
