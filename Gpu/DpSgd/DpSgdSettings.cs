namespace Chorus.Gpu.DpSgd;

/// <summary>How a model is trained by <see cref="DpSgdTrainer"/>.</summary>
public sealed record DpSgdSettings
{
    public DpMethod Method { get; init; }

    public ClippingSettings Clipping { get; init; } = new();

    /// <summary>Standard deviation of the noise over the clipping threshold C; 0 adds none (and <see cref="DpMethod.None"/> needs 0).</summary>
    public double NoiseMultiplier
    {
        get;
        init => field = value >= 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), $"the noise multiplier must be 0 or more, got {value}");
    }

    public ExampleSampling Sampling { get; init; }

    /// <summary>Examples of a step that are expected; the sum of gradients is divided by it, whatever was drawn.</summary>
    public required int LogicalBatch { get; init => field = Positive(value, "the logical batch"); }

    /// <summary>Examples that are computed at once; changes time and memory, not the result.</summary>
    public required int PhysicalBatch { get; init => field = Positive(value, "the physical batch"); }

    /// <summary>T: an example's first T + 1 tokens make T targets.</summary>
    public required int SequenceLength { get; init => field = Positive(value, "the sequence length"); }

    public SampleLossKind Loss { get; init; }

    public DpOptimizer Optimizer { get; init; }

    /// <summary>Per step; constant.</summary>
    public double LearningRate
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), $"the learning rate must be above 0, got {value}");
    } = 0.1;

    /// <summary>SGD's.</summary>
    public double Momentum { get; init => field = Share(value, "momentum"); }

    /// <summary>AdamW's.</summary>
    public double Beta1 { get; init => field = Share(value, "beta1"); } = 0.9;

    /// <summary>AdamW's.</summary>
    public double Beta2 { get; init => field = Share(value, "beta2"); } = 0.999;

    /// <summary>AdamW's.</summary>
    public double Epsilon
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), $"epsilon of AdamW must be above 0, got {value}");
    } = 1e-8;

    /// <summary>Of matrices; vectors are not decayed.</summary>
    public double WeightDecay
    {
        get;
        init => field = value >= 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), $"the weight decay must be 0 or more, got {value}");
    }

    /// <summary>Draws and noise follow from it, so that the run can be repeated, and whoever knows it can take the noise away. Null draws a secret.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Changes time, not the result.</summary>
    public StepRecording Recording { get; init; }

    /// <summary>Checks how the values fit together.</summary>
    /// <exception cref="ArgumentException">The message says what does not fit.</exception>
    public void Validate(int examples)
    {
        if (examples < 1)
            throw new ArgumentException("there is no example to train on");
        if (LogicalBatch > examples)
            throw new ArgumentException($"the logical batch must be at most the number of examples, {examples}, got {LogicalBatch}");
        if (Method == DpMethod.None && NoiseMultiplier != 0)
            throw new ArgumentException("training without privacy adds no noise: the noise multiplier must be 0");
    }

    private static int Positive(int value, string name) => value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"{name} must be at least 1, got {value}");

    private static double Share(double value, string name) => value is >= 0 and < 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"{name} must be in [0, 1), got {value}");
}

/// <summary>What the trainer has seen since the last report. These figures are computed without noise: they are for whoever holds the data.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">Mean over the samples since the last report that have a finite loss; NaN where there is none.</param>
/// <param name="Tokens">Targets since the trainers were made, of all ranks.</param>
/// <param name="NotFinite">Samples left out because a gradient of theirs was not finite, since the run's start.</param>
/// <param name="Communication">For how long this rank's device stood still for others since the last report: what the backward pass did not hide.</param>
/// <param name="Data">For how long this rank drew examples and laid out batches since the last report.</param>
public sealed record DpTrainingReport(int Step, double Loss, long Tokens, long NotFinite, TimeSpan Communication, TimeSpan Data);
