using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Tokenizers;
using Chorus.Gpu.Training;

namespace Chorus.Actors.Evaluation;

/// <summary>The downstream experiment with a small Llama-architecture model of Chorus.Gpu, or a checkpoint.</summary>
public sealed class TorchDownstream : IDownstreamExperiment
{
    private readonly DownstreamExperiment _experiment;
    private readonly ITokenizer _tokenizer;
    private readonly int _end;
    private readonly int _length;
    private CausalModel? _floor;

    private TorchDownstream(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct)
    {
        var evaluation = settings.Evaluation;
        var checkpoint = evaluation.Checkpoint;
        _tokenizer = checkpoint.Given
            ? RunCheckpoints.Opened("downstream", () => PretrainedTokenizer.Load(checkpoint.Directory))
            : ByteLevelBpeTokenizer.Train(publicTexts, settings.Policy.Vocabulary, ct);
        _end = checkpoint.Given ? RunCheckpoints.EndToken("downstream", checkpoint, _tokenizer) : _tokenizer.EndOfText!.Value;
        _length = settings.Policy.TextTokens;
        var training = new LanguageModelTrainingSettings
        {
            BatchSize = evaluation.BatchSize,
            SequenceLength = _length,
            LearningRate = evaluation.LearningRate,
        };
        var arms = new DownstreamSettings
        {
            Model = checkpoint.Given ? null : evaluation.Model.ToLlama(_tokenizer.VocabularySize, _length + 1),
            Training = training,
            FurtherLearningRate = evaluation.FurtherLearningRate,
            MaxEpochs = evaluation.Epochs,
            Patience = evaluation.Patience,
            ValidationShare = evaluation.ValidationShare,
            EvaluationLength = _length,
            Seed = Seeds.Derive(settings.Seed, "downstream", 0),
        };
        var device = TorchDevices.Parse(settings.Policy.Device);
        _experiment = checkpoint.Given
            ? RunCheckpoints.Opened("downstream", () => new DownstreamExperiment(arms, device, checkpoint.Directory, RunCheckpoints.Loading(checkpoint)))
            : new DownstreamExperiment(arms, device);
    }

    public static IDownstreamExperiment Create(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct) =>
        new TorchDownstream(settings, publicTexts, ct);

    public ArmMeasured Floor(IReadOnlyList<string> publicTexts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct)
    {
        _floor?.Dispose();
        return Measured(_experiment.Train("floor", null, Tokens(publicTexts), Tokens(heldOut.Texts), out _floor, Relay(progress), ct), heldOut);
    }

    public ArmMeasured From(string arm, IReadOnlyList<string> texts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct)
    {
        if (_floor is null)
            throw new InvalidOperationException("the floor comes first: the other arms go on from its model");
        var result = _experiment.Train(arm, _floor, Tokens(texts), Tokens(heldOut.Texts), out var model, Relay(progress), ct);
        model.Dispose();
        return Measured(result, heldOut);
    }

    public void Dispose() => _floor?.Dispose();

    private static ArmMeasured Measured(ArmResult arm, HeldOutTexts heldOut) => new(
        arm.Name, arm.TrainingDocuments + arm.ValidationDocuments, arm.Epochs.Length - 1, arm.ChosenEpoch, arm.ValidationAccuracy,
        arm.TestAccuracy, arm.TestTokens)
    {
        Topics = heldOut.ByTopic([.. arm.Test.Select(d => (d.Correct, d.Counted))]),
    };

    private static ProgressOf Relay(Action<long, long, string> progress) => new(progress);

    /// <summary>Each text, encoded once, cut to the length that is measured, with an end token to part it from the next in training.</summary>
    /// <remarks>An end token that the cut put there lies beyond that length and is not measured: it would be right in every arm.</remarks>
    private int[][] Tokens(IReadOnlyList<string> texts) =>
        [.. texts.Select(t => (int[])[.. _tokenizer.EncodePlain(t).Take(_length), _end])];

    private sealed class ProgressOf(Action<long, long, string> progress) : IProgress<DownstreamProgress>
    {
        public void Report(DownstreamProgress value)
        {
            var (step, steps, loss, rate) = value.Training;
            progress(step, steps, FormattableString.Invariant($"epoch {value.Epoch} of at most {value.MaxEpochs}, loss {loss:0.00}, {rate:N0} tokens/s"));
        }
    }
}
