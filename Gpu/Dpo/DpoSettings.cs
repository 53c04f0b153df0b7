namespace Chorus.Gpu.Dpo;

/// <summary>What a preference pair's margin is trained towards.</summary>
public enum PreferenceLoss
{
    /// <summary><see cref="DpoLoss.Loss"/>.</summary>
    Dpo,

    /// <summary><see cref="DpoLoss.IdentityLoss"/>.</summary>
    Ipo,
}

/// <summary>How preference pairs tune an adapter (DPO, arXiv:2305.18290).</summary>
public sealed record DpoSettings
{
    public PreferenceLoss Loss { get; init; }

    /// <summary>Strength of the pull towards the reference policy.</summary>
    public double Beta { get; init => field = Positive(value, nameof(Beta)); } = 0.1;

    /// <summary>Assumed share of pairs whose order is wrong: conservative DPO. 0 is plain DPO.</summary>
    public double LabelSmoothing
    {
        get;
        init => field = value is >= 0 and < 0.5 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"LabelSmoothing must be in [0, 0.5), got {value}");
    }

    /// <summary>AdamW's, after warm-up; constant.</summary>
    public double LearningRate { get; init => field = Positive(value, nameof(LearningRate)); } = 5e-4;

    /// <summary>Passes over the pairs, each in an order of its own.</summary>
    public int Epochs { get; init => field = AtLeast(1, value, nameof(Epochs)); } = 1;

    /// <summary>Pairs a step.</summary>
    public int BatchSize { get; init => field = AtLeast(1, value, nameof(BatchSize)); } = 8;

    /// <summary>Parts that a step's pairs are computed in, their gradients added up: the same step for a fraction of the memory.</summary>
    public int GradientAccumulation { get; init => field = AtLeast(1, value, nameof(GradientAccumulation)); } = 1;

    /// <summary>The gradient is scaled down to this L2 norm; infinity leaves it.</summary>
    public double MaxGradientNorm
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"MaxGradientNorm must be > 0, got {value}");
    } = 1;

    /// <summary>Steps over which the learning rate grows from near 0.</summary>
    public int WarmUpSteps { get; init => field = AtLeast(0, value, nameof(WarmUpSteps)); } = 10;

    /// <summary>Longer prompts lose tokens at their left.</summary>
    public int MaxPromptTokens { get; init => field = AtLeast(1, value, nameof(MaxPromptTokens)); } = 512;

    /// <summary>Pairs computed at once.</summary>
    internal int PartSize => (BatchSize + GradientAccumulation - 1) / GradientAccumulation;

    private static double Positive(double value, string name) => value > 0 && double.IsFinite(value) ? value
        : throw new ArgumentOutOfRangeException(name, $"{name} must be > 0 and finite, got {value}");

    private static int AtLeast(int least, int value, string name) => value >= least ? value
        : throw new ArgumentOutOfRangeException(name, $"{name} must be at least {least}, got {value}");
}

/// <summary>Two completions of one prompt as token ids, each with its end token where the model ended it; none is empty.</summary>
public sealed record TokenPair(int[] Prompt, int[] Chosen, int[] Rejected);

/// <summary>What one tuning did.</summary>
/// <param name="Steps">Optimiser steps; 0, with all else 0, where there were no pairs.</param>
/// <param name="FirstLoss">Mean loss of the first batch, before any step (ln 2 for a fresh adapter under DPO).</param>
/// <param name="LastLoss">Mean loss of the last batch, before its step.</param>
/// <param name="RewardAccuracy">Share of the last epoch's pairs whose chosen completion had the higher reward when its batch came up.</param>
/// <param name="RewardMargin">Mean over the last epoch of the chosen's reward minus the rejected's; a reward is beta log(policy / reference).</param>
public sealed record DpoSummary(int Steps, double FirstLoss, double LastLoss, double RewardAccuracy, double RewardMargin);
