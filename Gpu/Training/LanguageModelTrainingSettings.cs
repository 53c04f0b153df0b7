namespace Chorus.Gpu.Training;

/// <summary>How a language model is trained on documents.</summary>
public sealed record LanguageModelTrainingSettings
{
    /// <summary>Windows in a step. Small batches learn faster a token on small data.</summary>
    public int BatchSize { get; init => field = AtLeast(value, 1, nameof(BatchSize)); } = 16;

    /// <summary>Tokens of a window; at most the model's MaxLength.</summary>
    public int SequenceLength { get; init => field = AtLeast(value, 2, nameof(SequenceLength)); } = 64;

    /// <summary>Optimizer steps; 0 leaves it to <see cref="Epochs"/>.</summary>
    public int Steps { get; init => field = AtLeast(value, 0, nameof(Steps)); }

    /// <summary>Passes over the documents, where <see cref="Steps"/> is 0.</summary>
    public int Epochs { get; init => field = AtLeast(value, 1, nameof(Epochs)); } = 1;

    /// <summary>Largest learning rate of AdamW, reached after the warm-up.</summary>
    public double LearningRate
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(LearningRate), $"LearningRate must be > 0 and finite, got {value}");
    } = 2e-3;

    /// <summary>The last step's learning rate as a share of the largest: where the cosine ends.</summary>
    public double FinalLearningRateShare
    {
        get;
        init => field = value is >= 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(nameof(FinalLearningRateShare), $"FinalLearningRateShare must be in [0, 1], got {value}");
    } = 0.1;

    /// <summary>Steps over which the learning rate rises from zero in a line.</summary>
    public int WarmUpSteps { get; init => field = AtLeast(value, 0, nameof(WarmUpSteps)); } = 20;

    /// <summary>AdamW's decay of matrices; norms' weights do not decay.</summary>
    public double WeightDecay
    {
        get;
        init => field = value >= 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(WeightDecay), $"WeightDecay must be >= 0 and finite, got {value}");
    } = 0.1;

    /// <summary>The whole gradient's L2 norm is cut down to this.</summary>
    public double MaxGradientNorm
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(MaxGradientNorm), $"MaxGradientNorm must be > 0, got {value}");
    } = 1;

    /// <summary>Decides the order of documents and windows.</summary>
    public ulong Seed { get; init; }

    private static int AtLeast(int value, int least, string name) =>
        value >= least ? value : throw new ArgumentOutOfRangeException(name, $"{name} must be {least} or more, got {value}");
}

/// <summary>How far a training is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Loss">Cross-entropy of the last step, in nats a token.</param>
/// <param name="TokensPerSecond">Since the training's beginning.</param>
public readonly record struct TrainingProgress(int Step, int Steps, double Loss, double TokensPerSecond);

/// <summary>What a training did.</summary>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Tokens">Tokens predicted, each time it was seen.</param>
/// <param name="FirstLoss">Cross-entropy of the first step, in nats a token.</param>
/// <param name="LastLoss">Its mean over the last tenth of the steps.</param>
/// <param name="Elapsed">Time taken; the only figure here that differs between equal runs.</param>
public sealed record TrainingSummary(int Steps, long Tokens, double FirstLoss, double LastLoss, TimeSpan Elapsed);

/// <summary>A training went astray: its loss is no longer a finite number.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);
