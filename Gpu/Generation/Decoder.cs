// Shapes: R rows being sampled, P prompts, S slots a prompt, T prompt length, N new tokens so far, C channels, V vocabulary,
//         NH heads, KVH key/value heads, G = NH / KVH, HS head size
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>Runs prompts, and new tokens one by one, through a model's weights.</summary>
/// <remarks>
/// Samples of one prompt share its keys and values: their queries are laid beside each other and meet them in one matrix
/// product (arXiv:2403.08845), so that the prompt's cache is read once a prompt and not once a sample. Used under inference mode.
/// </remarks>
/// <param name="plan">Owned by the caller.</param>
internal sealed class Decoder(DecoderPlan plan)
{
    private readonly CausalShape _shape = plan.Shape;
    private readonly double _attentionScale = 1 / Math.Sqrt(plan.Shape.HeadSize);

    public CausalShape Shape => _shape;

    public Device Device => plan.Device;

    /// <summary>Runs P prompts, fills <paramref name="cache"/> with their keys and values, and gives the logits [P, V] (float32) after each prompt's last token.</summary>
    /// <param name="ids">int64 [P, T], padded on the right (no token attends to what is behind it).</param>
    /// <param name="last">int64 [P], the index of each prompt's last token.</param>
    /// <param name="cache">Gets keys and values [P, KVH, T, HS] for each layer.</param>
    public Tensor Prefill(Tensor ids, Tensor last, List<(Tensor Key, Tensor Value)> cache)
    {
        using var scope = NewDisposeScope();
        long prompts = ids.shape[0], time = ids.shape[1];
        var turns = plan.Rotary?.Leading(time);
        var (cos, sin) = (turns?.Cos.unsqueeze(1), turns?.Sin.unsqueeze(1));
        var x = plan.Embedding.index_select(0, ids.reshape(-1)).view(prompts, time, _shape.HiddenSize);
        if (plan.Positions is not null)
            x = x + plan.Positions.narrow(0, 0, time);
        foreach (var layer in plan.Layers)
        {
            using var layerScope = NewDisposeScope();
            var (query, key, value) = Split(layer, x, [prompts, time], cos, sin);
            query = query.transpose(1, 2);
            key = key.transpose(1, 2).contiguous().MoveToOuterDisposeScope();
            value = value.transpose(1, 2).contiguous().MoveToOuterDisposeScope();
            cache.Add((key.MoveToOuterDisposeScope(), value.MoveToOuterDisposeScope()));
            var mixed = CausalAttention.Mix(query, key, value, null);
            x = Rest(layer, x, mixed.transpose(1, 2).reshape(prompts, time, _shape.Heads * _shape.HeadSize)).MoveToOuterDisposeScope();
        }
        var at = last + arange(prompts, ScalarType.Int64, Device) * time;
        return Logits(x.view(prompts * time, _shape.HiddenSize).index_select(0, at)).MoveToOuterDisposeScope();
    }

    /// <summary>Takes one new token of every row and gives the logits [R, V] (float32) of the next; the rows' caches grow by one.</summary>
    /// <param name="ids">int64 [R].</param>
    /// <param name="positions">int64 [R].</param>
    /// <param name="end">Above every position.</param>
    /// <param name="state">Caches, and which slot of which prompt each row is.</param>
    public Tensor Step(Tensor ids, Tensor positions, long end, DecodingState state)
    {
        using var scope = NewDisposeScope();
        long rows = ids.shape[0];
        var turns = plan.Rotary?.At(positions, end);
        var (cos, sin) = (turns?.Cos.unsqueeze(1), turns?.Sin.unsqueeze(1));
        var x = plan.Embedding.index_select(0, ids);
        if (plan.Positions is not null)
            x = x + plan.Positions.index_select(0, positions);
        for (int l = 0; l < plan.Layers.Count; l++)
        {
            using var layerScope = NewDisposeScope();
            var (query, key, value) = Split(plan.Layers[l], x, [rows], cos, sin);
            state.Append(l, key, value);
            var mixed = Attend(l, query * _attentionScale, state);
            x = Rest(plan.Layers[l], x, mixed).MoveToOuterDisposeScope();
        }
        state.Advance();
        return Logits(x).MoveToOuterDisposeScope();
    }

    // Softmax over prompt and new tokens in two parts, each with its own maximum m, sum of exponentials and weighted values,
    // put together at the end as FlashAttention does with its blocks. query [R, NH, HS], scaled; result [R, NH * HS].
    private Tensor Attend(int l, Tensor query, DecodingState state)
    {
        long rows = query.shape[0], group = _shape.Heads / _shape.KeyValueHeads;
        var (promptKey, promptValue) = state.Prompt(l);
        var (newKey, newValue) = state.New(l);

        var grouped = state.ToSlots(query); // [P, KVH, S * G, HS]
        var (promptMax, promptSum, promptMixed) = Partial(grouped, promptKey, promptValue, state.PromptBias);
        promptMax = state.ToRows(promptMax);
        promptSum = state.ToRows(promptSum);
        promptMixed = state.ToRows(promptMixed);

        var own = query.reshape(rows, _shape.KeyValueHeads, group, _shape.HeadSize);
        var (newMax, newSum, newMixed) = Partial(own, newKey, newValue, null);
        newMax = newMax.view(rows, _shape.Heads, 1);
        newSum = newSum.view(rows, _shape.Heads, 1);
        newMixed = newMixed.view(rows, _shape.Heads, _shape.HeadSize);

        var max = maximum(promptMax, newMax);
        var promptWeight = promptMax.sub_(max).exp_();
        var newWeight = newMax.sub_(max).exp_();
        var sum = promptSum.mul_(promptWeight).add_(newSum.mul_(newWeight));
        return promptMixed.mul_(promptWeight).add_(newMixed.mul_(newWeight)).div_(sum).reshape(rows, _shape.Heads * _shape.HeadSize);
    }

    // query [B, KVH, M, HS], key and value [B, KVH, T, HS] to max and sum [B, KVH, M, 1] and unnormalised values [B, KVH, M, HS].
    private static (Tensor Max, Tensor Sum, Tensor Mixed) Partial(Tensor query, Tensor key, Tensor value, Tensor? bias)
    {
        var scores = matmul(query, key.transpose(-1, -2));
        if (bias is not null)
            scores.add_(bias);
        var max = scores.amax([-1], keepdim: true);
        scores.sub_(max).exp_();
        return (max, scores.sum([-1L], keepdim: true), matmul(scores, value));
    }

    // x [..., C] to query [..., NH, HS] and key [..., KVH, HS], turned where positions are rotary, and value [..., KVH, HS].
    private (Tensor Query, Tensor Key, Tensor Value) Split(DecoderLayer layer, Tensor x, long[] leading, Tensor? cos, Tensor? sin)
    {
        long heads = _shape.Heads, keyValueHeads = _shape.KeyValueHeads;
        var all = nn.functional.linear(Norm(x, layer.InputNorm), layer.QueryKeyValue, layer.QueryKeyValueBias)
            .view([.. leading, heads + 2 * keyValueHeads, _shape.HeadSize]);
        var turned = all.narrow(-2, 0, heads + keyValueHeads);
        if (cos is not null)
            turned = RotaryTable.Turn(turned, cos, sin!);
        return (turned.narrow(-2, 0, heads), turned.narrow(-2, heads, keyValueHeads), all.narrow(-2, heads + keyValueHeads, keyValueHeads));
    }

    // The layer after attention: output projection, residual, feed-forward, residual.
    private Tensor Rest(DecoderLayer layer, Tensor x, Tensor mixed)
    {
        var afterAttention = nn.functional.linear(mixed, layer.Output, layer.OutputBias).add_(x);
        var up = nn.functional.linear(Norm(afterAttention, layer.PostNorm), layer.Up, layer.UpBias);
        var active = plan.Gated
            ? nn.functional.silu(up.narrow(-1, 0, _shape.IntermediateSize)).mul_(up.narrow(-1, _shape.IntermediateSize, _shape.IntermediateSize))
            : Gpt2Layer.Activate(up, plan.Activation);
        return nn.functional.linear(active, layer.Down, layer.DownBias).add_(afterAttention);
    }

    private Tensor Logits(Tensor x) => nn.functional.linear(Norm(x, plan.FinalNorm), plan.Head).to_type(ScalarType.Float32);

    private Tensor Norm(Tensor x, NormWeights norm) => norm.Bias is null
        ? RmsNorm.Apply(x, norm.Weight, plan.NormEpsilon)
        : nn.functional.layer_norm(x, [_shape.HiddenSize], norm.Weight, norm.Bias, plan.NormEpsilon);
}
