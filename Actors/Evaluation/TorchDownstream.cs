using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Models;
using Chorus.Gpu.Training;
using TorchSharp;

namespace Chorus.Actors.Evaluation;

/// <summary>The downstream experiment with a small Llama-architecture model of Chorus.Gpu, or a checkpoint.</summary>
public sealed class TorchDownstream : IDownstreamExperiment
{
    private const string WeightsFile = "weights.bin";
    private const string ArmFile = "floor.json";

    // Clients computed at once: bounds the memory, changes nothing else.
    private const int ClientsAtOnce = 16;

    private static readonly JsonSerializerOptions Json = new() { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly RunSettings _settings;
    private readonly DownstreamModel _model;
    private readonly DownstreamExperiment _experiment;
    private CausalModel? _floor;

    private TorchDownstream(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct)
    {
        _settings = settings;
        _model = new DownstreamModel(settings, publicTexts, ct);
        _experiment = _model.Experiment();
    }

    public static IDownstreamExperiment Create(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct) =>
        new TorchDownstream(settings, publicTexts, ct);

    /// <summary>The floor is the same for every method, budget and repetition, so it is kept in the user's cache.</summary>
    public ArmMeasured Floor(IReadOnlyList<string> publicTexts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct)
    {
        _floor?.Dispose();
        _floor = null;
        var entry = ContentCache.OfUser().GetOrCreate(FloorKey(publicTexts, heldOut), folder =>
        {
            var arm = _experiment.Train("floor", null, _model.Tokens(publicTexts), _model.Tokens(heldOut.Texts), out var trained, new ProgressOf(progress), ct);
            using (trained)
                RunFolder.Write(Path.Combine(folder, WeightsFile), MemoryMarshal.AsBytes(FlatWeights.Read(trained).AsSpan()));
            RunFolder.WriteText(Path.Combine(folder, ArmFile), JsonSerializer.Serialize(new FloorArm(Measured(arm, heldOut) with { Topics = [] }, arm.Test), Json));
        });
        _floor = _model.Blank();
        FlatWeights.Write(_floor, MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(entry, WeightsFile))));
        var kept = JsonSerializer.Deserialize<FloorArm>(File.ReadAllText(Path.Combine(entry, ArmFile)), Json)
            ?? throw new InvalidDataException($"{entry} is damaged: delete it");
        return kept.Arm with { Topics = heldOut.ByTopic([.. kept.Test.Select(t => (t.Correct, t.Counted))]) };
    }

    public ArmMeasured From(string arm, IReadOnlyList<string> texts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct)
    {
        var result = _experiment.Train(arm, Start, _model.Tokens(texts), _model.Tokens(heldOut.Texts), out var model, new ProgressOf(progress), ct);
        model.Dispose();
        return Measured(result, heldOut);
    }

    public ArmMeasured FromPrivately(
        string arm, IReadOnlyList<IReadOnlyList<string>> clients, double noiseMultiplier, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(clients);
        var s = _settings.DpSgd;
        // One client, one example, one gradient: what protects an example protects a client with all its texts.
        int[][] examples = [.. clients.Select(texts => _model.Tokens(texts).SelectMany(t => t).Take(s.ClientTokens + 1).ToArray())];
        using var model = _model.Blank();
        FlatWeights.Write(model, FloorWeights());
        model.train();
        var settings = new DpSgdSettings
        {
            Method = DpMethod.Fused,
            Clipping = new ClippingSettings { Kind = ClippingKind.Flat, Threshold = s.Clip },
            NoiseMultiplier = noiseMultiplier,
            Sampling = ExampleSampling.Poisson,
            LogicalBatch = s.Batch,
            PhysicalBatch = ClientsAtOnce,
            SequenceLength = s.ClientTokens,
            Optimizer = DpOptimizer.AdamW,
            LearningRate = s.LearningRate,
            Seed = _settings.Privacy.ReproducibleNoise ? Seeds.Derive(_settings.Seed, "dp-sgd", 0) : null,
        };
        using (var trainer = new DpSgdTrainer(model, null, examples, settings))
        {
            for (var step = 1; step <= s.Steps; step++)
            {
                ct.ThrowIfCancellationRequested();
                trainer.Step();
                progress(step, s.Steps, "");
            }
        }

        model.eval();
        return Tested(arm, model, clients.Sum(c => c.Count), heldOut, ct);
    }

    public float[] FloorWeights() => FlatWeights.Read(Start);

    public ArmMeasured Measure(string arm, ReadOnlySpan<float> weights, HeldOutTexts heldOut, CancellationToken ct)
    {
        using var model = _model.Blank();
        FlatWeights.Write(model, weights);
        model.eval();
        return Tested(arm, model, 0, heldOut, ct);
    }

    public void Dispose() => _floor?.Dispose();

    private CausalModel Start => _floor ?? throw new InvalidOperationException("the floor comes first: the other arms go on from its model");

    private ArmMeasured Tested(string arm, CausalModel model, int texts, HeldOutTexts heldOut, CancellationToken ct)
    {
        var (each, _) = NextTokenAccuracy.MeasureEach(model, _model.Tokens(heldOut.Texts), _model.Arms.EvaluationLength, _model.Arms.EvaluationBatchSize, ct);
        var counted = each.Sum(d => (long)d.Counted);
        return new ArmMeasured(arm, texts, 0, 0, double.NaN, (double)each.Sum(d => (long)d.Correct) / counted, counted)
        {
            Topics = heldOut.ByTopic([.. each.Select(d => (d.Correct, d.Counted))]),
        };
    }

    private string FloorKey(IReadOnlyList<string> publicTexts, HeldOutTexts heldOut) => ContentCache.KeyOf([
        "chorus-floor-1",
        _settings.Evaluation.Checkpoint.Sha256 ?? "",
        _settings.Evaluation.Checkpoint.Type,
        JsonSerializer.Serialize(_model.Arms with { Model = _model.Arms.Model is { } shape ? shape with { MaxLength = _model.Length + 1 } : null }, Json),
        string.Create(CultureInfo.InvariantCulture, $"{_settings.Policy.Vocabulary} {_model.Device.type} {torch.get_num_threads()}"),
        string.Create(CultureInfo.InvariantCulture, $"{publicTexts.Count} {heldOut.Texts.Length}"),
        .. publicTexts, .. heldOut.Texts]);

    private static ArmMeasured Measured(ArmResult arm, HeldOutTexts heldOut) => new(
        arm.Name, arm.TrainingDocuments + arm.ValidationDocuments, arm.Epochs.Length - 1, arm.ChosenEpoch, arm.ValidationAccuracy,
        arm.TestAccuracy, arm.TestTokens)
    {
        Topics = heldOut.ByTopic([.. arm.Test.Select(d => (d.Correct, d.Counted))]),
    };

    /// <summary>The floor as the cache keeps it: topics are another setting.</summary>
    private sealed record FloorArm(ArmMeasured Arm, ImmutableArray<TokenCount> Test);

    private sealed class ProgressOf(Action<long, long, string> progress) : IProgress<DownstreamProgress>
    {
        public void Report(DownstreamProgress value)
        {
            var (step, steps, loss, rate) = value.Training;
            progress(step, steps, FormattableString.Invariant($"epoch {value.Epoch} of at most {value.MaxEpochs}, loss {loss:0.00}, {rate:N0} tokens/s"));
        }
    }
}
