// Shapes: R rows, P prompts, S slots a prompt, T prompt length, M room for new tokens, N new tokens so far,
//         NH heads, KVH key/value heads, G = NH / KVH, HS head size
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>The caches of one batch: keys and values of its prompts, once each, and of every row's own new tokens.</summary>
/// <remarks>
/// A row is one sample in the making; it sits in a slot of its prompt. Rows that have ended are dropped by <see cref="Keep"/>,
/// which closes the gaps in the rows' caches and, when the slots allow it, in the prompts'. Used under inference mode.
/// </remarks>
internal sealed class DecodingState : IDisposable
{
    private readonly CausalShape _shape;
    private readonly Device _device;
    private readonly List<(Tensor Key, Tensor Value)> _prompts;
    private readonly List<(Tensor Key, Tensor Value)> _new = [];
    private int[] _promptOfRow;
    private int _promptCount;
    private int _slots;
    private Tensor? _slotOfRow; // int64 [R], index into P * S; null when row r is in slot r
    private int _length;

    /// <param name="shape">Of the model.</param>
    /// <param name="prompts">Keys and values [P, KVH, T, HS] of each layer; this state takes ownership.</param>
    /// <param name="promptLengths">How much of T each prompt fills.</param>
    /// <param name="promptOfRow">For each row its prompt; rows of one prompt lie beside each other.</param>
    /// <param name="maxNewTokens">M.</param>
    public DecodingState(CausalShape shape, List<(Tensor Key, Tensor Value)> prompts, IReadOnlyList<int> promptLengths, int[] promptOfRow, int maxNewTokens)
    {
        _shape = shape;
        _prompts = prompts;
        _promptOfRow = promptOfRow;
        _promptCount = promptLengths.Count;
        var like = prompts[0].Key;
        _device = like.device;
        using var scope = NewDisposeScope();
        int time = (int)like.shape[2];
        if (promptLengths.Any(length => length < time))
        {
            var bias = new float[_promptCount * time];
            for (int p = 0; p < _promptCount; p++)
                bias.AsSpan(p * time + promptLengths[p], time - promptLengths[p]).Fill(float.NegativeInfinity);
            PromptBias = tensor(bias, [_promptCount, 1, 1, time]).to(like.dtype, _device).DetachFromDisposeScope();
        }
        for (int l = 0; l < shape.Layers; l++)
            _new.Add((NewCache(promptOfRow.Length, maxNewTokens, like), NewCache(promptOfRow.Length, maxNewTokens, like)));
        PlaceRows();
    }

    public int Rows => _promptOfRow.Length;

    /// <summary>Added to scores against the prompts: -infinity on padding, [P, 1, 1, T]; null where no prompt is padded.</summary>
    public Tensor? PromptBias { get; private set; }

    public (Tensor Key, Tensor Value) Prompt(int layer) => _prompts[layer];

    /// <summary>Keys and values [R, KVH, N, HS] of the new tokens with the one just appended.</summary>
    public (Tensor Key, Tensor Value) New(int layer) => (_new[layer].Key.narrow(2, 0, _length + 1), _new[layer].Value.narrow(2, 0, _length + 1));

    /// <summary>Puts one token's key and value [R, KVH, HS] behind the others of that layer.</summary>
    public void Append(int layer, Tensor key, Tensor value)
    {
        using var scope = NewDisposeScope();
        _new[layer].Key.select(2, _length).copy_(key);
        _new[layer].Value.select(2, _length).copy_(value);
    }

    /// <summary>The token appended to every layer counts from now on.</summary>
    public void Advance() => _length++;

    /// <summary>[R, NH, HS] to [P, KVH, S * G, HS], empty slots zero.</summary>
    public Tensor ToSlots(Tensor x)
    {
        long group = _shape.Heads / _shape.KeyValueHeads;
        if (_slotOfRow is not null)
            x = zeros([_promptCount * _slots, _shape.Heads, _shape.HeadSize], x.dtype, _device).index_copy_(0, _slotOfRow, x);
        return x.reshape(_promptCount, _slots, _shape.KeyValueHeads, group, _shape.HeadSize)
            .transpose(1, 2).reshape(_promptCount, _shape.KeyValueHeads, _slots * group, _shape.HeadSize);
    }

    /// <summary>[P, KVH, S * G, D] to [R, NH, D].</summary>
    public Tensor ToRows(Tensor x)
    {
        long group = _shape.Heads / _shape.KeyValueHeads, size = x.shape[^1];
        var bySlot = x.view(_promptCount, _shape.KeyValueHeads, _slots, group, size).transpose(1, 2).reshape(_promptCount * _slots, _shape.Heads, size);
        return _slotOfRow is null ? bySlot : bySlot.index_select(0, _slotOfRow);
    }

    /// <summary>Keeps the rows at these indices (ascending) and drops the others.</summary>
    public void Keep(int[] rows)
    {
        using var scope = NewDisposeScope();
        var kept = Index(rows);
        for (int l = 0; l < _new.Count; l++)
            _new[l] = (Shrunk(_new[l].Key, kept), Shrunk(_new[l].Value, kept));
        _promptOfRow = [.. rows.Select(r => _promptOfRow[r])];

        var prompts = _promptOfRow.Distinct().ToArray();
        if (prompts.Length < _promptCount)
        {
            var keptPrompts = Index(prompts);
            for (int l = 0; l < _prompts.Count; l++)
                _prompts[l] = (Selected(_prompts[l].Key, keptPrompts), Selected(_prompts[l].Value, keptPrompts));
            if (PromptBias is not null)
                PromptBias = Selected(PromptBias, keptPrompts);
            _promptCount = prompts.Length;
            _promptOfRow = [.. _promptOfRow.Select(p => Array.IndexOf(prompts, p))];
        }
        PlaceRows();
    }

    public void Dispose()
    {
        foreach (var (key, value) in _prompts.Concat(_new))
        {
            key.Dispose();
            value.Dispose();
        }
        PromptBias?.Dispose();
        _slotOfRow?.Dispose();
    }

    // Gives every row the next free slot of its prompt; S is what the fullest prompt needs.
    private void PlaceRows()
    {
        var used = new int[_promptCount];
        var slot = _promptOfRow.Select(p => used[p]++).ToArray();
        _slots = used.Max();
        var flat = slot.Select((s, row) => _promptOfRow[row] * _slots + s).ToArray();
        _slotOfRow?.Dispose();
        bool inPlace = flat.Length == _promptCount * _slots && flat.Select((s, row) => s == row).All(same => same);
        _slotOfRow = inPlace ? null : Index(flat).DetachFromDisposeScope();
    }

    // Rows picked out of [R, KVH, M, HS]; only the tokens so far are copied.
    private Tensor Shrunk(Tensor cache, Tensor kept)
    {
        var shrunk = NewCache((int)kept.shape[0], (int)cache.shape[2], cache);
        shrunk.narrow(2, 0, _length).copy_(cache.narrow(2, 0, _length).index_select(0, kept));
        cache.Dispose();
        return shrunk;
    }

    private static Tensor Selected(Tensor x, Tensor kept)
    {
        var selected = x.index_select(0, kept).DetachFromDisposeScope();
        x.Dispose();
        return selected;
    }

    private Tensor NewCache(int rows, int maxNewTokens, Tensor like) =>
        empty([rows, _shape.KeyValueHeads, maxNewTokens, _shape.HeadSize], like.dtype, _device).DetachFromDisposeScope();

    private Tensor Index(int[] values) => tensor(Array.ConvertAll(values, v => (long)v)).to(_device);
}
