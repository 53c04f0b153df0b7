using System.Collections.Immutable;

namespace Chorus.Gpu.Lora;

/// <summary>The shape of a low-rank adapter (LoRA, arXiv:2106.09685).</summary>
public sealed record LoraSettings
{
    /// <summary>The seven projections of a Llama layer, in the order of the forward pass.</summary>
    public static ImmutableArray<string> AllProjections { get; } =
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>Rank r of the update.</summary>
    public int Rank
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"Rank must be at least 1, got {value}");
    } = 8;

    /// <summary>The update is scaled by Alpha / Rank.</summary>
    public double Alpha
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"Alpha must be > 0 and finite, got {value}");
    } = 16;

    /// <summary>Which projections of every layer are adapted; at least one, each once, from <see cref="AllProjections"/>.</summary>
    public ImmutableArray<string> TargetModules
    {
        get;
        init
        {
            if (value.IsDefaultOrEmpty)
                throw new ArgumentException("TargetModules must name at least one projection, got none");
            if (value.FirstOrDefault(name => !AllProjections.Contains(name)) is { } unknown)
                throw new ArgumentException($"TargetModules must be among {string.Join(", ", AllProjections)}, got {unknown}");
            if (value.Distinct().Count() != value.Length)
                throw new ArgumentException($"TargetModules must name each projection once, got {string.Join(", ", value)}");
            field = value;
        }
    } = AllProjections;

    /// <summary>Alpha / Rank.</summary>
    public double Scale => Alpha / Rank;
}
