using System.Collections.Immutable;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Tests.Support;

/// <summary>A policy without a model: candidates are words drawn by the seed; its adapter is the count of its tunings.</summary>
internal sealed class StubPolicy : IPolicy
{
    private int _tunings;

    /// <summary>What its texts are made of.</summary>
    public string[] Words { get; init; } = ["rivers", "schools", "farms", "ports", "trains", "clinics", "bridges", "budget", "today", "number"];

    /// <summary>Called on the device's thread as a tuning begins.</summary>
    public Action BeforeTuning { get; init; } = () => { };

    /// <summary>Called on the device's thread as texts are to be written.</summary>
    public Action BeforeWriting { get; init; } = () => { };

    public static PolicyFactory Factory { get; } = (_, _, _, _) => new StubPolicy();

    public void LoadAdapter(string? directory) =>
        _tunings = directory is null ? 0 : int.Parse(File.ReadAllText(Path.Combine(directory, "adapter.txt")), System.Globalization.CultureInfo.InvariantCulture);

    public IReadOnlyList<CandidateText> Generate(
        IReadOnlyList<IReadOnlyList<string>> prompts, int samplesPerPrompt, ulong seed, Action<long, long, string> progress, CancellationToken ct)
    {
        BeforeWriting();
        return
        [
            .. Enumerable.Range(0, prompts.Count * samplesPerPrompt).Select(i =>
            {
                var random = new Random(unchecked((int)seed + (i * 7919) + (_tunings * 31)));
                var tokens = Enumerable.Range(0, 6).Select(_ => random.Next(Words.Length)).ToImmutableArray();
                return new CandidateText(string.Join(' ', tokens.Select(t => Words[t])), tokens, Ended: true);
            }),
        ];
    }

    public IReadOnlyList<CandidateText> Vary(
        IReadOnlyList<TextVariation> variations, ulong seed, Action<long, long, string> progress, CancellationToken ct) =>
        [.. variations.Select((v, i) =>
        {
            var random = new Random(unchecked((int)seed + (i * 7919)));
            var kept = v.Parent.Tokens.Take((int)(v.Parent.Tokens.Length * v.Keep));
            var tokens = kept.Concat(Enumerable.Range(0, 6).Select(_ => random.Next(Words.Length))).Take(6).ToImmutableArray();
            return new CandidateText(string.Join(' ', tokens.Select(t => Words[t])), tokens, Ended: true);
        })];

    public TuningSummary FineTune(
        IReadOnlyList<CandidateText> texts, double learningRate, int epochs, ulong seed, Action<long, long, string> progress, CancellationToken ct)
    {
        BeforeTuning();
        _tunings++;
        return new TuningSummary(texts.Count * epochs, 5, 4, 0);
    }

    public TuningSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> prompts, IReadOnlyList<CandidateText> candidates, int samplesPerPrompt,
        ImmutableArray<PreferencePair> pairs, ulong seed, Action<long, long, string> progress, CancellationToken ct)
    {
        BeforeTuning();
        _tunings++;
        return new TuningSummary(pairs.Length, 0.69, 0.5, 0.8);
    }

    public string SaveAdapter(string directory)
    {
        RunFolder.WriteText(Path.Combine(directory, "adapter.txt"), _tunings.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return RunData.Sha256(_tunings.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    public void Dispose()
    {
    }
}

/// <summary>A downstream experiment without a model.</summary>
internal sealed class StubDownstream : IDownstreamExperiment
{
    public static DownstreamFactory Factory { get; } = (_, _, _) => new StubDownstream();

    public ArmMeasured Floor(IReadOnlyList<string> publicTexts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct) =>
        new("floor", publicTexts.Count, 1, 1, 0.2, 0.2, 100) { Topics = Half(heldOut) };

    public ArmMeasured From(string arm, IReadOnlyList<string> texts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct) =>
        new(arm, texts.Count, 1, 1, 0.3, arm is "ceiling" or "private" ? 0.4 : 0.3, 100) { Topics = Half(heldOut) };

    public ArmMeasured FromPrivately(
        string arm, IReadOnlyList<IReadOnlyList<string>> clients, double noiseMultiplier, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct) =>
        new(arm, clients.Sum(c => c.Count), 0, 0, double.NaN, noiseMultiplier, 100);

    /// <summary>A model of five weights.</summary>
    public float[] FloorWeights() => [1, 2, 3, 4, 5];

    public ArmMeasured Measure(string arm, ReadOnlySpan<float> weights, HeldOutTexts heldOut, CancellationToken ct) =>
        new(arm, 0, 0, 0, double.NaN, weights[0], 100);

    private static ImmutableArray<Simulation.Metrics.TopicAccuracy> Half(HeldOutTexts heldOut) => heldOut.ByTopic([.. heldOut.Texts.Select(_ => (1, 2))]);

    public void Dispose()
    {
    }
}
