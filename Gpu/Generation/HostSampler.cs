// Shapes: R rows being sampled, P prompts, T prompt length, V vocabulary
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>Samples batches whose tokens are drawn on the host, one step at a time: rows that have ended cost nothing soon after.</summary>
/// <param name="plan">Owned by the caller.</param>
/// <param name="job">Prompts and settings.</param>
internal sealed class HostSampler(DecoderPlan plan, SamplingJob job)
{
    private readonly Decoder _decoder = new(plan);

    /// <summary>Fills the rows with tokens until each has finished or has MaxNewTokens.</summary>
    public void Sample(SampledRow[] batch, Action report)
    {
        job.Ct.ThrowIfCancellationRequested();
        job.Allocating?.Invoke(batch.Length);
        using var scope = NewDisposeScope();
        var s = job.Settings;
        var (distinct, promptOfRow) = SamplingJob.Distinct(batch);
        var lengths = distinct.Select(p => job.Prompts[p].Length).ToArray();
        var probabilities = new Probabilities(plan.Shape.VocabularySize);

        var cache = new List<(Tensor Key, Tensor Value)>();
        var (ids, last) = job.Padded(distinct, plan.Device);
        probabilities.Take(_decoder.Prefill(ids, last, cache), s.Temperature);
        using var state = new DecodingState(plan.Shape, cache, lengths, promptOfRow, s.MaxNewTokens);
        var live = batch;
        Draw(live, promptOfRow, probabilities, 0);
        report();

        for (int step = 1; step < s.MaxNewTokens; step++)
        {
            job.Ct.ThrowIfCancellationRequested();
            job.Allocating?.Invoke(live.Length);
            // Ended rows are computed along until they are worth the copying that drops them.
            int finished = live.Count(r => r.Finished);
            if (finished == live.Length)
                return;
            if (finished * 8 >= live.Length)
            {
                var kept = Enumerable.Range(0, live.Length).Where(i => !live[i].Finished).ToArray();
                state.Keep(kept);
                live = [.. kept.Select(i => live[i])];
            }
            using var stepScope = NewDisposeScope();
            var next = tensor(live.Select(r => (long)r.Tokens[^1]).ToArray()).to(plan.Device);
            var positions = live.Select(r => (long)(job.Prompts[r.Prompt].Length + step - 1)).ToArray();
            probabilities.Take(_decoder.Step(next, tensor(positions).to(plan.Device), positions.Max() + 1, state), s.Temperature);
            Draw(live, null, probabilities, step);
            report();
        }
    }

    // One token for every row that has not finished; row i reads distribution distributionOfRow[i], or i.
    private void Draw(SampledRow[] rows, int[]? distributionOfRow, Probabilities probabilities, int step)
    {
        var s = job.Settings;
        // Each row's draw is a function of its own distribution and key alone, so the threads change nothing but the time.
        try
        {
            Parallel.For(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, get_num_threads()) }, i =>
            {
                var row = rows[i];
                if (row.Finished)
                    return;
                var distribution = probabilities.Row(distributionOfRow?[i] ?? i);
                row.Take(
                    s.Temperature == 0
                        ? NucleusSampler.Largest(distribution)
                        : NucleusSampler.Draw(distribution, s.TopK, s.TopP, KeyedUniform.At(job.Seed, row.Prompt, row.Sample, step)),
                    job.Ends);
            });
        }
        catch (AggregateException failed)
        {
            ExceptionDispatchInfo.Throw(failed.InnerExceptions[0]); // one row's reason says more than the bundle of all
        }
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
