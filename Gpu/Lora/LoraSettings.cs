using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Chorus.Gpu.Lora;

/// <summary>The shape of a low-rank adapter (LoRA, arXiv:2106.09685).</summary>
public sealed record LoraSettings
{
    /// <summary>The <see cref="TargetPattern"/> that adapts every linear layer but the head.</summary>
    public const string AllLinear = "all-linear";

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

    /// <summary>Scale by Alpha / sqrt(Rank) instead (rsLoRA, arXiv:2312.03732).</summary>
    public bool RankStabilised { get; init; }

    /// <summary>The share of a branch's inputs that is dropped in training.</summary>
    public double Dropout
    {
        get;
        init => field = value is >= 0 and < 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"Dropout must be in [0, 1), got {value}");
    }

    /// <summary>Which linear layers are adapted: each whose name is one of these, or ends with one after a dot. At least one, each once.</summary>
    public ImmutableArray<string> TargetModules
    {
        get;
        init
        {
            if (value.IsDefaultOrEmpty || value.Any(string.IsNullOrWhiteSpace))
                throw new ArgumentException("TargetModules must name at least one layer and no empty one");
            if (value.Distinct().Count() != value.Length)
                throw new ArgumentException($"TargetModules must name each layer once, got {string.Join(", ", value)}");
            field = value;
        }
    } = AllProjections;

    /// <summary>In place of <see cref="TargetModules"/>: "all-linear", or a regular expression that the whole of a layer's name must match.</summary>
    public string? TargetPattern
    {
        get;
        init
        {
            try
            {
                if (value is not null)
                    _ = new Regex(value);
            }
            catch (ArgumentException e)
            {
                throw new ArgumentException($"TargetPattern must be {AllLinear} or a regular expression, got {value}: {e.Message}", e);
            }
            field = value;
        }
    }

    /// <summary>Alpha / Rank, or Alpha / sqrt(Rank).</summary>
    public double Scale => RankStabilised ? Alpha / Math.Sqrt(Rank) : Alpha / Rank;

    /// <summary>Whether the linear layer of this name is adapted.</summary>
    /// <param name="module">As Hugging Face's model names it: model.layers.0.self_attn.q_proj.</param>
    /// <param name="isHead">Whether it makes the logits.</param>
    public bool Targets(string module, bool isHead)
    {
        if (TargetPattern == AllLinear)
            return !isHead;
        if (TargetPattern is not null)
            return Regex.IsMatch(module, $"^(?:{TargetPattern})$", RegexOptions.CultureInvariant);
        return TargetModules.Any(name => module == name || module.EndsWith("." + name, StringComparison.Ordinal));
    }
}
