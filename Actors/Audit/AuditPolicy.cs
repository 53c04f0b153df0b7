using System.Collections.Immutable;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Audit;

/// <summary>
/// The policy of an audit: writes the same public texts every round and learns nothing, so that no round depends on the
/// releases before it.
/// </summary>
internal sealed class AuditPolicy(ImmutableArray<string> texts) : IPolicy
{
    private const string Adapter = "adapter.txt";

    public void LoadAdapter(string? directory)
    {
    }

    public IReadOnlyList<CandidateText> Generate(
        IReadOnlyList<IReadOnlyList<string>> prompts, int samplesPerPrompt, ulong seed, Action<long, long, string> progress, CancellationToken ct) =>
        [.. Enumerable.Range(0, prompts.Count * samplesPerPrompt).Select(i => new CandidateText(texts[i % texts.Length], [], Ended: true))];

    public IReadOnlyList<CandidateText> Vary(
        IReadOnlyList<TextVariation> variations, ulong seed, Action<long, long, string> progress, CancellationToken ct) =>
        [.. variations.Select((_, i) => new CandidateText(texts[i % texts.Length], [], Ended: true))];

    public TuningSummary FineTune(
        IReadOnlyList<CandidateText> texts, double learningRate, int epochs, ulong seed, Action<long, long, string> progress, CancellationToken ct) => new(0, 0, 0, 0);

    public TuningSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> prompts, IReadOnlyList<CandidateText> candidates, int samplesPerPrompt,
        ImmutableArray<PreferencePair> pairs, ulong seed, Action<long, long, string> progress, CancellationToken ct) => new(0, 0, 0, 0);

    public string SaveAdapter(string directory) => RunData.Sha256(Adapter);

    public void Dispose()
    {
    }
}
