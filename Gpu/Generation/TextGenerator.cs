// Shapes: R rows being sampled, P prompts, T prompt length, V vocabulary
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>Samples continuations of prompts, batched, each prompt computed once for all its samples.</summary>
/// <remarks>
/// Every token has its own random number, keyed by (seed, prompt index, sample index, step), so a text does not depend on
/// what it is batched with, up to the last bits of the matrix products, which may differ between batch shapes.
/// </remarks>
/// <param name="model">Sampled with its adapter when that is enabled; not changed.</param>
/// <param name="endToken">Ends a text.</param>
public sealed class TextGenerator(CausalModel model, int endToken)
{
    /// <summary>Result i is sample i % samplesPerPrompt of prompt i / samplesPerPrompt.</summary>
    /// <param name="prompts">Token ids; each has at least one.</param>
    /// <param name="samplesPerPrompt">At least 1.</param>
    /// <param name="s">Temperature, top-p, longest text.</param>
    /// <param name="seed">Of all random numbers.</param>
    /// <param name="batchSize">Rows sampled at once; bounds the memory.</param>
    /// <param name="tokensDone">Told how many new tokens there are so far, once a step.</param>
    /// <param name="ct">Looked at before every step.</param>
    /// <exception cref="ArgumentException">An empty prompt, a token outside the vocabulary, or a prompt that leaves no room for MaxNewTokens; or logits that are not finite.</exception>
    public Completion[] Generate(
        IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingSettings s, ulong seed, int batchSize, IProgress<int>? tokensDone, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(s);
        ArgumentOutOfRangeException.ThrowIfLessThan(samplesPerPrompt, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        Check(prompts, s);

        // Prompts of like length go together, so that little is padding; whole prompts where they fit, so that none is computed twice.
        var rows = Enumerable.Range(0, prompts.Count)
            .OrderBy(p => prompts[p].Length).ThenBy(p => p)
            .SelectMany(p => Enumerable.Range(0, samplesPerPrompt).Select(sample => new Row(p, sample)))
            .ToArray();
        int rowsPerBatch = batchSize >= samplesPerPrompt ? batchSize - batchSize % samplesPerPrompt : batchSize;

        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var plan = model.ToDecoder();
        var decoder = new Decoder(plan);
        int tokens = 0;
        foreach (var batch in rows.Chunk(rowsPerBatch))
            Sample(decoder, prompts, batch, s, seed, () => tokensDone?.Report(tokens), ref tokens, ct);

        var results = new Completion[prompts.Count * samplesPerPrompt];
        foreach (var row in rows)
            results[row.Prompt * samplesPerPrompt + row.Sample] = new Completion([.. row.Tokens], row.Ended);
        return results;
    }

    private void Check(IReadOnlyList<int[]> prompts, SamplingSettings s)
    {
        for (int p = 0; p < prompts.Count; p++)
        {
            int length = prompts[p].Length;
            if (length == 0)
                throw new ArgumentException($"prompt {p} must have at least one token, got none", nameof(prompts));
            if (length + s.MaxNewTokens > model.Shape.MaxLength)
            {
                throw new ArgumentException(
                    $"prompt {p} must have at most MaxLength - MaxNewTokens = {model.Shape.MaxLength - s.MaxNewTokens} tokens, got {length}", nameof(prompts));
            }
            if (prompts[p].Any(id => (uint)id >= (uint)model.Shape.VocabularySize))
                throw new ArgumentException($"prompt {p} must have tokens in [0, {model.Shape.VocabularySize}), got {string.Join(" ", prompts[p])}", nameof(prompts));
        }
        if ((uint)endToken >= (uint)model.Shape.VocabularySize)
            throw new ArgumentException($"endToken must be in [0, {model.Shape.VocabularySize}), got {endToken}", nameof(prompts));
    }

    private void Sample(
        Decoder decoder, IReadOnlyList<int[]> prompts, Row[] batch, SamplingSettings s, ulong seed, Action report, ref int tokens, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var distinct = batch.Select(r => r.Prompt).Distinct().ToArray(); // in the batch's order
        var promptOfRow = batch.Select(r => Array.IndexOf(distinct, r.Prompt)).ToArray();
        var lengths = distinct.Select(p => prompts[p].Length).ToArray();
        var probabilities = new Probabilities(model.Shape.VocabularySize);

        var cache = new List<(Tensor Key, Tensor Value)>();
        var (ids, last) = PadPrompts(distinct.Select(p => prompts[p]).ToArray(), decoder.Device);
        probabilities.Take(decoder.Prefill(ids, last, cache), s.Temperature);
        using var state = new DecodingState(decoder.Shape, cache, lengths, promptOfRow, s.MaxNewTokens);
        var live = batch;
        Draw(live, promptOfRow, probabilities, s, seed, 0);
        tokens += live.Length;
        report();

        for (int step = 1; step < s.MaxNewTokens; step++)
        {
            ct.ThrowIfCancellationRequested();
            // Ended rows are computed along until they are worth the copying that drops them.
            int ended = live.Count(r => r.Ended);
            if (ended == live.Length)
                return;
            if (ended * 8 >= live.Length)
            {
                var kept = Enumerable.Range(0, live.Length).Where(i => !live[i].Ended).ToArray();
                state.Keep(kept);
                live = [.. kept.Select(i => live[i])];
            }
            using var stepScope = NewDisposeScope();
            var next = tensor(live.Select(r => (long)r.Tokens[^1]).ToArray()).to(decoder.Device);
            var positions = tensor(live.Select(r => (long)(prompts[r.Prompt].Length + step - 1)).ToArray()).to(decoder.Device);
            probabilities.Take(decoder.Step(next, positions, model.Shape.MaxLength, state), s.Temperature);
            Draw(live, null, probabilities, s, seed, step);
            tokens += live.Length - live.Count(r => r.Ended && r.Tokens.Count <= step);
            report();
        }
    }

    // One token for every row that has not ended; row i reads distribution distributionOfRow[i], or i.
    private void Draw(Row[] rows, int[]? distributionOfRow, Probabilities probabilities, SamplingSettings s, ulong seed, int step)
    {
        // Each row's draw is a function of its own distribution and key alone, so the threads change nothing but the time.
        try
        {
            Parallel.For(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, get_num_threads()) }, i =>
            {
                var row = rows[i];
                if (row.Ended)
                    return;
                var distribution = probabilities.Row(distributionOfRow?[i] ?? i);
                int token = s.Temperature == 0
                    ? NucleusSampler.Largest(distribution)
                    : NucleusSampler.Draw(distribution, s.TopP, KeyedUniform.At(seed, row.Prompt, row.Sample, step));
                row.Tokens.Add(token);
                row.Ended = token == endToken;
            });
        }
        catch (AggregateException failed)
        {
            ExceptionDispatchInfo.Throw(failed.InnerExceptions[0]); // one row's reason says more than the bundle of all
        }
    }

    private static (Tensor Ids, Tensor Last) PadPrompts(int[][] prompts, Device device)
    {
        int time = prompts.Max(p => p.Length);
        var ids = new long[prompts.Length * time];
        for (int p = 0; p < prompts.Length; p++)
        {
            for (int t = 0; t < prompts[p].Length; t++)
                ids[p * time + t] = prompts[p][t];
        }
        return (tensor(ids, [prompts.Length, time]).to(device), tensor(prompts.Select(p => (long)p.Length - 1).ToArray()).to(device));
    }

    private sealed class Row(int prompt, int sample)
    {
        public int Prompt => prompt;

        public int Sample => sample;

        public List<int> Tokens { get; } = [];

        public bool Ended { get; set; }
    }

    // The next tokens' distributions on the host; the array is kept from step to step.
    private sealed class Probabilities(int vocabularySize)
    {
        private float[] _values = [];

        public ReadOnlySpan<float> Row(int i) => _values.AsSpan(i * vocabularySize, vocabularySize);

        // logits float32 [R, V]; at temperature 0, where only their order counts, they are kept as they are
        public void Take(Tensor logits, double temperature)
        {
            using var scope = NewDisposeScope();
            var rows = (temperature == 0 ? logits : temperature == 1 ? logits.softmax(-1) : (logits / temperature).softmax(-1)).cpu().contiguous();
            int count = checked((int)rows.numel());
            if (_values.Length < count)
                _values = new float[count];
            MemoryMarshal.Cast<byte, float>(rows.bytes).CopyTo(_values);
        }
    }
}
