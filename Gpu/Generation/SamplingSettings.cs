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

    /// <summary>Only so many of the likeliest tokens are drawn from; 0 is all.</summary>
    public int TopK
    {
        get;
        init => field = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"TopK must be at least 0, got {value}");
    }

    /// <summary>Only the likeliest tokens (of those that TopK leaves) that together reach this probability are drawn from (arXiv:1904.09751).</summary>
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

    /// <summary>A text stops with the token that completes any of these.</summary>
    public ImmutableArray<string> StopStrings
    {
        get;
        init => field = !value.IsDefault && value.All(s => !string.IsNullOrEmpty(s)) ? value : throw new ArgumentException("StopStrings must hold no empty string");
    } = [];
}

/// <summary>One sampled continuation.</summary>
/// <param name="Tokens">Without the prompt, with the end token when <paramref name="Ended"/>.</param>
/// <param name="Ended">Whether the model ended it itself.</param>
/// <param name="StoppedBy">The stop string that the last token completed; its text is still there, and perhaps more of that token behind it.</param>
public sealed record Completion(ImmutableArray<int> Tokens, bool Ended, string? StoppedBy = null)
{
    /// <summary>The text up to the stop string, which is dropped with what follows.</summary>
    public string Cut(string text) => StoppedBy is null || text.IndexOf(StoppedBy, StringComparison.Ordinal) is var at && at < 0 ? text : text[..at];
}
