using System.Collections.Immutable;

namespace Chorus.Gpu.Generation;

/// <summary>How next tokens are drawn.</summary>
public sealed record SamplingSettings
{
    /// <summary>Logits are divided by this; 0 takes the likeliest token every time.</summary>
    public double Temperature
    {
        get;
        init => field = value >= 0 && double.IsFinite(value) ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"Temperature must be >= 0 and finite, got {value}");
    } = 1;

    /// <summary>Only the likeliest tokens that together reach this probability are drawn from (arXiv:1904.09751).</summary>
    public double TopP
    {
        get;
        init => field = value is > 0 and <= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"TopP must be in (0, 1], got {value}");
    } = 1;

    /// <summary>A text without end token stops after this many.</summary>
    public int MaxNewTokens
    {
        get;
        init => field = value > 0 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"MaxNewTokens must be at least 1, got {value}");
    } = 64;
}

/// <summary>One sampled continuation.</summary>
/// <param name="Tokens">Without the prompt, with the end token when <paramref name="Ended"/>.</param>
/// <param name="Ended">Whether the model ended it itself.</param>
public sealed record Completion(ImmutableArray<int> Tokens, bool Ended);
