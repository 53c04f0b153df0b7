// Shapes: R rows being sampled, P prompts, S slots a prompt, T prompt length, M most new tokens, L layers, KVH key/value heads, HS head size
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>The fixed tensors that a step of <see cref="DecodeScript"/> reads and writes. They belong to the dispose scope in which the state was made.</summary>
internal sealed class DeviceState
{
    private readonly DecoderPlan _plan;
    private int[] _promptOfRow;

    /// <param name="plan">Of the model.</param>
    /// <param name="job">Prompts and settings.</param>
    /// <param name="batch">The rows.</param>
    /// <param name="distinct">Their prompts.</param>
    /// <param name="promptOfRow">For each row its prompt's place among these; rows of one prompt lie beside each other.</param>
    /// <param name="prompts">Keys and values [P, KVH, T, HS] of each layer.</param>
    public DeviceState(DecoderPlan plan, SamplingJob job, SampledRow[] batch, int[] distinct, int[] promptOfRow, List<(Tensor Key, Tensor Value)> prompts)
    {
        (_plan, _promptOfRow) = (plan, promptOfRow);
        int rows = batch.Length, longest = job.Settings.MaxNewTokens;
        long time = prompts[0].Key.shape[2];
        Prompts = distinct.Length;
        Token = zeros([rows], ScalarType.Int64, plan.Device);
        Position = Longs([.. batch.Select(r => (long)job.Prompts[r.Prompt].Length)], [rows]);
        At = zeros([1], ScalarType.Int64, plan.Device);
        Out = zeros([rows, longest], ScalarType.Int64, plan.Device);
        Sound = ones([rows], ScalarType.Bool, plan.Device);
        var uniforms = new double[rows * longest];
        for (int r = 0; r < rows; r++)
        {
            for (int step = 0; step < longest; step++)
                uniforms[r * longest + step] = KeyedUniform.At(job.Seed, batch[r].Prompt, batch[r].Sample, step);
        }
        Uniforms = Moved(tensor(uniforms, [rows, longest]));
        var bias = new float[rows * (time + longest)];
        Array.Fill(bias, float.NegativeInfinity);
        for (int r = 0; r < rows; r++)
            bias.AsSpan((int)(r * (time + longest)), job.Prompts[batch[r].Prompt].Length).Clear();
        Bias = Moved(tensor(bias, [rows, 1, 1, time + longest]));
        // Zero, not merely empty: what is not there yet has weight 0, and 0 times garbage may be no number.
        Cache = [.. prompts.SelectMany(p => new[] { p.Key, p.Value, New(p.Key, rows, longest), New(p.Value, rows, longest) })];
        if (plan.Rotary is not null)
        {
            int end = distinct.Max(p => job.Prompts[p].Length) + longest;
            var (cos, sin) = plan.Rotary.Leading(Math.Min(end, plan.Rotary.Length));
            long half = sin.shape[1] / 2;
            Cos = cos;
            // Dimension i takes -sin times its partner i + HS/2, which takes sin times the other: signs once here, not in every step.
            Sin = cat([sin.narrow(1, 0, half).neg(), sin.narrow(1, half, half)], 1);
        }
        Place();
    }

    /// <summary>int64 [R]: the last token of each row.</summary>
    public Tensor Token { get; private set; }

    /// <summary>int64 [R]: where that token stands.</summary>
    public Tensor Position { get; private set; }

    /// <summary>int64 [1]: new tokens in the caches.</summary>
    public Tensor At { get; }

    /// <summary>int64 [R, M].</summary>
    public Tensor Out { get; private set; }

    /// <summary>bool [R]: whether all logits so far were finite.</summary>
    public Tensor Sound { get; private set; }

    /// <summary>float64 [R, M].</summary>
    public Tensor Uniforms { get; private set; }

    /// <summary>float32 [R, 1, 1, T + M].</summary>
    public Tensor Bias { get; private set; }

    /// <summary>[positions, HS]; null where positions are learned.</summary>
    public Tensor? Cos { get; }

    public Tensor? Sin { get; }

    /// <summary>Of each layer: keys and values of the prompts [P, KVH, T, HS], then of the new tokens [R, KVH, M, HS].</summary>
    public Tensor[] Cache { get; private set; }

    /// <summary>int64 [R], index into P S; null when row r is in slot r.</summary>
    public Tensor? Slots { get; private set; }

    public int Prompts { get; private set; }

    /// <summary>S.</summary>
    public int PerPrompt { get; private set; }

    /// <summary>Keeps the rows at these indices (ascending) and drops the others, and prompts that have none left.</summary>
    public void Keep(int[] rows)
    {
        var index = Longs(Array.ConvertAll(rows, r => (long)r), [rows.Length]);
        (Token, Position, Out, Sound, Uniforms, Bias) =
            (Kept(Token, index), Kept(Position, index), Kept(Out, index), Kept(Sound, index), Kept(Uniforms, index), Kept(Bias, index));
        _promptOfRow = [.. rows.Select(r => _promptOfRow[r])];
        var prompts = _promptOfRow.Distinct().ToArray();
        bool fewer = prompts.Length < Prompts;
        var promptIndex = Longs(Array.ConvertAll(prompts, p => (long)p), [prompts.Length]);
        for (int i = 0; i < Cache.Length; i++)
        {
            if (i % 4 >= 2)
                Cache[i] = Kept(Cache[i], index);
            else if (fewer)
                Cache[i] = Kept(Cache[i], promptIndex);
        }
        if (fewer)
        {
            Prompts = prompts.Length;
            _promptOfRow = [.. _promptOfRow.Select(p => Array.IndexOf(prompts, p))];
        }
        Place();
    }

    // Gives every row the next free slot of its prompt; S is what the fullest prompt needs.
    private void Place()
    {
        var used = new int[Prompts];
        var slot = _promptOfRow.Select(p => used[p]++).ToArray();
        PerPrompt = used.Max();
        long[] flat = [.. slot.Select((s, row) => (long)_promptOfRow[row] * PerPrompt + s)];
        Slots = flat.Length == Prompts * PerPrompt ? null : Longs(flat, [flat.Length]); // rows of one prompt are neighbours, so a full house is in order
    }

    private static Tensor Kept(Tensor x, Tensor index)
    {
        var kept = x.index_select(0, index);
        x.Dispose();
        return kept;
    }

    private static Tensor New(Tensor like, int rows, int length) => zeros([rows, like.shape[1], length, like.shape[3]], like.dtype, like.device);

    private Tensor Longs(long[] values, long[] shape) => Moved(tensor(values, shape));

    private Tensor Moved(Tensor x) => x.to(_plan.Device);
}
