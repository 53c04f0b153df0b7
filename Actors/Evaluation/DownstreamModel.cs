using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Tokenizers;
using Chorus.Gpu.Training;
using TorchSharp;

namespace Chorus.Actors.Evaluation;

/// <summary>A run's downstream model and its tokenizer: the same wherever they are made, at the evaluator or at a client.</summary>
internal sealed class DownstreamModel
{
    private readonly RunSettings _settings;
    private readonly ITokenizer _tokenizer;
    private readonly int _end;

    /// <param name="publicTexts">The tokenizer is trained on them, unless the model is a checkpoint.</param>
    public DownstreamModel(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct)
    {
        _settings = settings;
        var checkpoint = settings.Evaluation.Checkpoint;
        _tokenizer = checkpoint.Given
            ? RunCheckpoints.Opened("downstream", () => PretrainedTokenizer.Load(checkpoint.Directory))
            : ByteLevelBpeTokenizer.Train(publicTexts, settings.Policy.Vocabulary, ct);
        _end = checkpoint.Given ? RunCheckpoints.EndToken("downstream", checkpoint, _tokenizer) : _tokenizer.EndOfText!.Value;
        Device = TorchDevices.Parse(settings.Policy.Device);
        Arms = new DownstreamSettings
        {
            Model = checkpoint.Given ? null : settings.Evaluation.Model.ToLlama(_tokenizer.VocabularySize, MaxLength),
            Training = new LanguageModelTrainingSettings
            {
                BatchSize = settings.Evaluation.BatchSize,
                SequenceLength = Length,
                LearningRate = settings.Evaluation.LearningRate,
            },
            FurtherLearningRate = settings.Evaluation.FurtherLearningRate,
            MaxFloorEpochs = settings.Evaluation.FloorEpochs,
            MaxEpochs = settings.Evaluation.Epochs,
            Patience = settings.Evaluation.Patience,
            ValidationShare = settings.Evaluation.ValidationShare,
            EvaluationLength = Length,
            Seed = Seeds.Derive(settings.Seed, "downstream", 0),
        };
    }

    public torch.Device Device { get; }

    private IReadOnlyList<torch.Device> Others => [.. _settings.Policy.TuningDevices.Select(TorchDevices.Parse)];

    /// <summary>How arms are shaped and trained.</summary>
    public DownstreamSettings Arms { get; }

    /// <summary>Tokens of a text that are trained on and measured.</summary>
    public int Length => _settings.Policy.TextTokens;

    /// <summary>Under dp-sgd a client's texts are read as one.</summary>
    private int MaxLength => 1 + (_settings.Method == Method.DpSgd ? Math.Max(Length, _settings.DpSgd.ClientTokens) : Length);

    public DownstreamExperiment Experiment()
    {
        var checkpoint = _settings.Evaluation.Checkpoint;
        return checkpoint.Given
            ? RunCheckpoints.Opened("downstream", () => new DownstreamExperiment(Arms, Device, checkpoint.Directory, RunCheckpoints.Loading(checkpoint), Others))
            : new DownstreamExperiment(Arms, Device, Others);
    }

    /// <summary>A model of the run's shape, with weights that nobody should use.</summary>
    public CausalModel Blank()
    {
        var checkpoint = _settings.Evaluation.Checkpoint;
        return checkpoint.Given
            ? RunCheckpoints.Opened("downstream", () => CausalCheckpoint.Load(checkpoint.Directory, Device, RunCheckpoints.Loading(checkpoint)))
            : new LlamaModel(Arms.Model!, 0, Device);
    }

    /// <summary>Each text, encoded once, cut to the length that is measured, with an end token to part it from the next in training.</summary>
    /// <remarks>An end token that the cut put there lies beyond that length and is not measured: it would be right in every arm.</remarks>
    public int[][] Tokens(IEnumerable<string> texts) => [.. texts.Select(t => (int[])[.. _tokenizer.EncodePlain(t).Take(Length), _end])];
}
