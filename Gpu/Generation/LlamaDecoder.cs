// Shapes: R rows being sampled, P prompts, S slots a prompt, T prompt length, N new tokens so far, C channels, V vocabulary,
//         NH heads, KVH key/value heads, G = NH / KVH, HS head size
using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>A model made ready to sample from: adapters merged into the weights, projections that share an input put together.</summary>
/// <remarks>
/// Samples of one prompt share its keys and values: their queries are laid beside each other and meet them in one matrix
/// product (arXiv:2403.08845), so that the prompt's cache is read once a prompt and not once a sample.
/// The weights are a copy: changes to the model after construction do not show. Used under inference mode.
/// </remarks>
internal sealed class LlamaDecoder : IDisposable
{
    private sealed record Layer(Tensor QueryKeyValue, Tensor Output, Tensor GateUp, Tensor Down, Parameter InputNorm, Parameter PostAttentionNorm);

    private readonly LlamaModel _model;
    private readonly LlamaConfig _config;
    private readonly Layer[] _layers;
    private readonly double _attentionScale;

    public LlamaDecoder(LlamaModel model)
    {
        _model = model;
        _config = model.Config;
        _attentionScale = 1 / Math.Sqrt(_config.HeadSize);
        using var scope = NewDisposeScope();
        _layers = [.. model.Layers.Select(l => new Layer(
            cat([l.Attention.Query.Merged(), l.Attention.Key.Merged(), l.Attention.Value.Merged()]).DetachFromDisposeScope(),
            l.Attention.Output.Merged().DetachFromDisposeScope(),
            cat([l.Mlp.Gate.Merged(), l.Mlp.Up.Merged()]).DetachFromDisposeScope(),
            l.Mlp.Down.Merged().DetachFromDisposeScope(),
            l.InputNorm.Weight,
            l.PostAttentionNorm.Weight))];
    }

    public LlamaConfig Config => _config;

    public Device Device => _model.Device;

    public ScalarType Type => _model.Embedding.dtype;

    /// <summary>Runs P prompts, fills <paramref name="cache"/> with their keys and values, and gives the logits [P, V] (float32) after each prompt's last token.</summary>
    /// <param name="ids">int64 [P, T], padded on the right (no token attends to what is behind it).</param>
    /// <param name="last">int64 [P], the index of each prompt's last token.</param>
    /// <param name="cache">Gets keys and values [P, KVH, T, HS] for each layer.</param>
    public Tensor Prefill(Tensor ids, Tensor last, List<(Tensor Key, Tensor Value)> cache)
    {
        using var scope = NewDisposeScope();
        long prompts = ids.shape[0], time = ids.shape[1];
        var (cos, sin) = Turns(_model.Rotary.Leading(time));
        cos = cos.unsqueeze(1);
        sin = sin.unsqueeze(1);
        var x = _model.Embedding.index_select(0, ids.reshape(-1)).view(prompts, time, _config.HiddenSize);
        foreach (var layer in _layers)
        {
            using var layerScope = NewDisposeScope();
            var (query, key, value) = Split(layer, x, [prompts, time], cos, sin);
            query = query.transpose(1, 2);
            key = key.transpose(1, 2).contiguous().MoveToOuterDisposeScope();
            value = value.transpose(1, 2).contiguous().MoveToOuterDisposeScope();
            cache.Add((key.MoveToOuterDisposeScope(), value.MoveToOuterDisposeScope()));
            var mixed = nn.functional.scaled_dot_product_attention(query, Expand(key), Expand(value), is_casual: true);
            x = Rest(layer, x, mixed.transpose(1, 2).reshape(prompts, time, _config.Heads * _config.HeadSize)).MoveToOuterDisposeScope();
        }
        var at = last + arange(prompts, ScalarType.Int64, Device) * time;
        return Logits(x.view(prompts * time, _config.HiddenSize).index_select(0, at)).MoveToOuterDisposeScope();
    }

    /// <summary>Takes one new token of every row and gives the logits [R, V] (float32) of the next; the rows' caches grow by one.</summary>
    /// <param name="ids">int64 [R].</param>
    /// <param name="positions">int64 [R].</param>
    /// <param name="state">Caches, and which slot of which prompt each row is.</param>
    public Tensor Step(Tensor ids, Tensor positions, DecodingState state)
    {
        using var scope = NewDisposeScope();
        long rows = ids.shape[0];
        var (cos, sin) = Turns(_model.Rotary.At(positions));
        cos = cos.unsqueeze(1);
        sin = sin.unsqueeze(1);
        var x = _model.Embedding.index_select(0, ids);
        for (int l = 0; l < _layers.Length; l++)
        {
            using var layerScope = NewDisposeScope();
            var (query, key, value) = Split(_layers[l], x, [rows], cos, sin);
            state.Append(l, key, value);
            var mixed = Attend(l, query * _attentionScale, state);
            x = Rest(_layers[l], x, mixed).MoveToOuterDisposeScope();
        }
        state.Advance();
        return Logits(x).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var layer in _layers)
        {
            layer.QueryKeyValue.Dispose();
            layer.Output.Dispose();
            layer.GateUp.Dispose();
            layer.Down.Dispose();
        }
    }

    // Softmax over prompt and new tokens in two parts, each with its own maximum m, sum of exponentials and weighted values,
    // put together at the end as FlashAttention does with its blocks. query [R, NH, HS], scaled; result [R, NH * HS].
    private Tensor Attend(int l, Tensor query, DecodingState state)
    {
        long rows = query.shape[0], group = _config.Heads / _config.KeyValueHeads;
        var (promptKey, promptValue) = state.Prompt(l);
        var (newKey, newValue) = state.New(l);

        var grouped = state.ToSlots(query); // [P, KVH, S * G, HS]
        var (promptMax, promptSum, promptMixed) = Partial(grouped, promptKey, promptValue, state.PromptBias);
        promptMax = state.ToRows(promptMax);
        promptSum = state.ToRows(promptSum);
        promptMixed = state.ToRows(promptMixed);

        var own = query.view(rows, _config.KeyValueHeads, group, _config.HeadSize);
        var (newMax, newSum, newMixed) = Partial(own, newKey, newValue, null);
        newMax = newMax.view(rows, _config.Heads, 1);
        newSum = newSum.view(rows, _config.Heads, 1);
        newMixed = newMixed.view(rows, _config.Heads, _config.HeadSize);

        var max = maximum(promptMax, newMax);
        var promptWeight = promptMax.sub_(max).exp_();
        var newWeight = newMax.sub_(max).exp_();
        var sum = promptSum.mul_(promptWeight).add_(newSum.mul_(newWeight));
        return promptMixed.mul_(promptWeight).add_(newMixed.mul_(newWeight)).div_(sum).view(rows, _config.Heads * _config.HeadSize);
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

    // x [..., C] to query [..., NH, HS] and key [..., KVH, HS], both turned, and value [..., KVH, HS].
    private (Tensor Query, Tensor Key, Tensor Value) Split(Layer layer, Tensor x, long[] leading, Tensor cos, Tensor sin)
    {
        long heads = _config.Heads, keyValueHeads = _config.KeyValueHeads;
        var all = nn.functional.linear(RmsNorm.Apply(x, layer.InputNorm, _config.NormEpsilon), layer.QueryKeyValue)
            .view([.. leading, heads + 2 * keyValueHeads, _config.HeadSize]);
        var turned = RotaryTable.Turn(all.narrow(-2, 0, heads + keyValueHeads), cos, sin);
        return (turned.narrow(-2, 0, heads), turned.narrow(-2, heads, keyValueHeads), all.narrow(-2, heads + keyValueHeads, keyValueHeads));
    }

    // The layer after attention: output projection, residual, feed-forward, residual.
    private Tensor Rest(Layer layer, Tensor x, Tensor mixed)
    {
        var afterAttention = nn.functional.linear(mixed, layer.Output).add_(x);
        var gateUp = nn.functional.linear(RmsNorm.Apply(afterAttention, layer.PostAttentionNorm, _config.NormEpsilon), layer.GateUp);
        var gated = nn.functional.silu(gateUp.narrow(-1, 0, _config.IntermediateSize)).mul_(gateUp.narrow(-1, _config.IntermediateSize, _config.IntermediateSize));
        return nn.functional.linear(gated, layer.Down).add_(afterAttention);
    }

    private Tensor Logits(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _model.Head(_model.FinalNorm.Apply(x)).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    private (Tensor Cos, Tensor Sin) Turns((Tensor Cos, Tensor Sin) turns) =>
        Type == ScalarType.Float32 ? turns : (turns.Cos.to_type(Type), turns.Sin.to_type(Type));

    private Tensor Expand(Tensor x) => x.unsqueeze(2)
        .expand(x.shape[0], _config.KeyValueHeads, _config.Heads / _config.KeyValueHeads, x.shape[2], _config.HeadSize)
        .reshape(x.shape[0], _config.Heads, x.shape[2], _config.HeadSize);
}
