// Shapes: B samples, T time, V vocabulary
using Chorus.Gpu.Models;
using Chorus.Gpu.Models.Fused;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>What a sample's loss is.</summary>
public enum SampleLossKind
{
    /// <summary>The mean over its own tokens: long and short samples weigh the same.</summary>
    Mean,

    /// <summary>The sum over its tokens.</summary>
    Sum,
}

/// <summary>Samples side by side, as long as the longest.</summary>
/// <param name="Ids">int64 [B, T].</param>
/// <param name="Targets">int64 [B, T], -100 where there is none.</param>
/// <param name="Lengths">int32 [B], targets of each sample; null where all have T.</param>
/// <param name="Counts">float32 [B], the same, at least 1.</param>
/// <param name="Tokens">Targets of all.</param>
internal sealed record SampleBatch(Tensor Ids, Tensor Targets, Tensor? Lengths, Tensor Counts, long Tokens)
{
    public long Batch => Ids.size(0);

    private const long NoTarget = -100;

    /// <summary>Each sample's first T + 1 tokens; one of fewer than two has no target and adds nothing.</summary>
    /// <param name="samples">At least one.</param>
    public static SampleBatch Of(IReadOnlyList<int[]> samples, int sequenceLength, Device device)
    {
        int[] lengths = [.. samples.Select(s => Math.Clamp(s.Length - 1, 0, sequenceLength))];
        int time = Math.Max(1, lengths.Max()), batch = samples.Count;
        long[] ids = new long[batch * time], targets = new long[batch * time];
        Array.Fill(targets, NoTarget);
        for (int b = 0; b < batch; b++)
        {
            for (int t = 0; t < lengths[b]; t++)
                (ids[b * time + t], targets[b * time + t]) = (samples[b][t], samples[b][t + 1]);
        }
        return new SampleBatch(
            tensor(ids, [batch, time]).to(device), tensor(targets, [batch, time]).to(device),
            lengths.All(l => l == time) ? null : tensor(lengths).to(device),
            tensor(lengths.Select(l => (float)Math.Max(1, l)).ToArray()).to(device), lengths.Sum(l => (long)l));
    }

    /// <summary>Losses of each sample, float32 [B] (float64 for a float64 model), in the graph.</summary>
    public Tensor Losses(CausalModel model, SampleLossKind kind)
    {
        using var scope = NewDisposeScope();
        var logits = model.LogitRows(Ids);
        var losses = (FusedTokenLoss.TryApply(logits, Targets.view(-1), model.Shape.VocabularySize) ?? Plain(logits.narrow(1, 0, model.Shape.VocabularySize))).view(Batch, -1).sum([1L]);
        return (kind == SampleLossKind.Mean ? losses / Counts : losses).MoveToOuterDisposeScope();
    }

    private Tensor Plain(Tensor logits)
    {
        if (logits.dtype is ScalarType.BFloat16 or ScalarType.Float16)
            logits = logits.to_type(ScalarType.Float32);
        return nn.functional.cross_entropy(logits, Targets.view(-1), ignore_index: NoTarget, reduction: nn.Reduction.None);
    }
}
