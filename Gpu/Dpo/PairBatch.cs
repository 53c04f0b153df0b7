// Shapes: B pairs, T packed length, N completion tokens of all pairs, K longest completion
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Dpo;

/// <summary>Pairs packed so that each prompt is computed once: prompt, chosen and rejected in one row.</summary>
/// <remarks>
/// The rejected completion does not attend to the chosen one, and its positions go on from the prompt's end, so both see
/// exactly what they would see in a row of their own (prefix sharing, arXiv:2410.20305). A completion's last token predicts
/// nothing and is left out of the input; padding is on the right, where no token attends to it. Only the hidden states
/// that predict a completion token go through the head, which is most of a small model's work.
/// </remarks>
internal sealed class PairBatch : IDisposable
{
    private readonly Tensor _ids;
    private readonly Tensor _positions;
    private readonly Tensor _mask;
    private readonly Tensor _at; // int64 [N], which of the B * T hidden states predicts each completion token
    private readonly Tensor _targets; // int64 [N, 1]
    private readonly Tensor _slots; // int64 [N], where its log-probability goes in [2 B, K]
    private readonly int _longest;

    public int Count { get; }

    public PairBatch(IReadOnlyList<TokenPair> pairs, int maxPromptTokens, Device device)
    {
        Count = pairs.Count;
        int time = pairs.Max(p => Math.Min(p.Prompt.Length, maxPromptTokens) + p.Chosen.Length + p.Rejected.Length - 2);
        _longest = pairs.Max(p => Math.Max(p.Chosen.Length, p.Rejected.Length));
        var ids = new long[Count * time];
        var positions = new long[Count * time];
        var segments = new long[Count * time]; // 0 prompt or padding, 1 chosen, 2 rejected
        List<long> at = [], targets = [], slots = [];
        for (int b = 0; b < Count; b++)
        {
            var prompt = pairs[b].Prompt.AsSpan();
            prompt = prompt[Math.Max(0, prompt.Length - maxPromptTokens)..];
            int next = b * time;
            for (int t = 0; t < prompt.Length; t++)
                (ids[next], positions[next++]) = (prompt[t], t);
            int promptEnd = next - 1;
            for (int side = 0; side < 2; side++)
            {
                var completion = side == 0 ? pairs[b].Chosen : pairs[b].Rejected;
                int predictor = promptEnd;
                for (int k = 0; k < completion.Length; k++)
                {
                    at.Add(predictor);
                    targets.Add(completion[k]);
                    slots.Add((side * Count + b) * (long)_longest + k);
                    if (k == completion.Length - 1)
                        break;
                    (ids[next], positions[next], segments[next]) = (completion[k], prompt.Length + k, side + 1);
                    predictor = next++;
                }
            }
        }
        using var scope = NewDisposeScope();
        _ids = tensor(ids, [Count, time]).to(device).DetachFromDisposeScope();
        _positions = tensor(positions, [Count, time]).to(device).DetachFromDisposeScope();
        var segment = tensor(segments, [Count, time]).to(device);
        var rejectedToChosen = segment.eq(2).view(Count, 1, time, 1).logical_and(segment.eq(1).view(Count, 1, 1, time));
        var causal = ones([time, time], ScalarType.Bool, device).tril();
        _mask = rejectedToChosen.logical_not().logical_and(causal).DetachFromDisposeScope();
        _at = tensor(at.ToArray()).to(device).DetachFromDisposeScope();
        _targets = tensor(targets.ToArray()).unsqueeze(1).to(device).DetachFromDisposeScope();
        _slots = tensor(slots.ToArray()).to(device).DetachFromDisposeScope();
    }

    /// <summary>Summed log-probabilities of the chosen and of the rejected completions, each float32 [B]; the caller owns both.</summary>
    public (Tensor Chosen, Tensor Rejected) LogProbabilities(CausalModel model)
    {
        using var scope = NewDisposeScope();
        var hidden = model.Hidden(_ids, _positions, _mask).view(-1, model.Shape.HiddenSize).index_select(0, _at);
        var logits = model.Head(hidden).to_type(ScalarType.Float32);
        var each = logits.gather(1, _targets).squeeze(1) - logits.logsumexp(1);
        // Every token has a place of its own, so no two sums race on a GPU.
        var sums = zeros([2 * Count * _longest], ScalarType.Float32, each.device)
            .index_copy(0, _slots, each).view(2 * Count, _longest).sum([1L]);
        return (sums.narrow(0, 0, Count).MoveToOuterDisposeScope(), sums.narrow(0, Count, Count).MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[_ids, _positions, _mask, _at, _targets, _slots])
            tensor.Dispose();
    }
}
