// Shapes: R rows being sampled, P prompts, S slots a prompt, T prompt length, M most new tokens, L layers, HS head size
using Chorus.Gpu.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>Samples batches whose tokens are drawn on the device: the host looks at them only once in <see cref="Stride"/> steps.</summary>
/// <remarks>
/// Caches have their full length from the start. A step reads the rows' caches as far as the next multiple of
/// 16, on a GPU of 64, so that its shapes change that often only. Random numbers are made for all steps before the first,
/// on the host, by the same keys as <see cref="HostSampler"/>'s.
/// </remarks>
internal sealed class DeviceSampler : IDisposable
{
    /// <summary>Steps between two looks.</summary>
    internal const int Stride = 16;

    // Caches are read as far as the next multiple of this. On a GPU a step is recorded once for so many: its shapes must not change that long.
    private const int SeenOnDevice = 64, SeenOnHost = 16;

    private readonly DecoderPlan _plan;
    private readonly SamplingJob _job;
    private readonly Decoder _decoder;
    private readonly jit.CompilationUnit _script = DecodeScript.Compile();
    private readonly Tensor _none; // stands for a bias or a table that is not there
    private readonly Tensor[] _layers;
    private readonly Tensor[] _final;

    /// <param name="plan">Owned by the caller.</param>
    /// <param name="job">Prompts and settings.</param>
    public DeviceSampler(DecoderPlan plan, SamplingJob job)
    {
        (_plan, _job, _decoder) = (plan, job, new Decoder(plan));
        _none = empty([0], dtype: plan.Type, device: plan.Device).DetachFromDisposeScope();
        _layers = [.. plan.Layers.SelectMany(l => new[]
        {
            l.InputNorm.Weight, l.InputNorm.Bias ?? _none, l.QueryKeyValue, l.QueryKeyValueBias ?? _none, l.Output, l.OutputBias ?? _none,
            l.PostNorm.Weight, l.PostNorm.Bias ?? _none, l.Up, l.UpBias ?? _none, l.Down, l.DownBias ?? _none,
        })];
        _final = [plan.FinalNorm.Weight, plan.FinalNorm.Bias ?? _none, plan.Head];
    }

    /// <summary>Whether steps are recorded as a CUDA graph and repeated; else each is launched operation by operation, to the same result.</summary>
    internal bool Records { get; init; } = CudaGraph.Available;

    /// <summary>Fills the rows with tokens until each has finished or has MaxNewTokens.</summary>
    /// <exception cref="ArgumentException">The logits are not finite.</exception>
    public void Sample(SampledRow[] batch, Action report)
    {
        if (Records && _plan.Device.type == DeviceType.CUDA)
            CudaGraph.OnOwnStream(_plan.Device, () => Run(batch, report));
        else
            Run(batch, report);
    }

    private void Run(SampledRow[] batch, Action report)
    {
        _job.Ct.ThrowIfCancellationRequested();
        _job.Allocating?.Invoke(batch.Length);
        using var scope = NewDisposeScope();
        var s = _job.Settings;
        var state = Begin(batch);
        var live = batch;
        int done = 1;
        Look(live, state, 0, done, report);
        using var steps = new Steps(this, state);
        while (done < s.MaxNewTokens)
        {
            _job.Ct.ThrowIfCancellationRequested();
            _job.Allocating?.Invoke(live.Length);
            var kept = Enumerable.Range(0, live.Length).Where(i => !live[i].Finished).ToArray();
            if (kept.Length == 0)
                return;
            // Fewer rows are other shapes throughout, so it must be worth it.
            if (kept.Length * 4 <= live.Length * 3)
            {
                steps.Forget();
                state.Keep(kept);
                live = [.. kept.Select(i => live[i])];
            }
            int end = Math.Min(s.MaxNewTokens, (done + Stride) / Stride * Stride), first = done;
            for (; done < end; done++)
                steps.Next(done);
            Look(live, state, first, done, report);
        }
    }

    public void Dispose()
    {
        _script.Dispose();
        _none.Dispose();
    }

    // Runs the prompts and draws every row's first token.
    private DeviceState Begin(SampledRow[] batch)
    {
        var (distinct, promptOfRow) = SamplingJob.Distinct(batch);
        var cache = new List<(Tensor Key, Tensor Value)>();
        Tensor logits;
        using (var scope = NewDisposeScope())
        {
            var (ids, last) = _job.Padded(distinct, _plan.Device);
            var ofPrompts = _decoder.Prefill(ids, last, cache);
            logits = ofPrompts.index_select(0, Index(promptOfRow)).MoveToOuterDisposeScope();
            foreach (var (key, value) in cache)
            {
                key.MoveToOuterDisposeScope();
                value.MoveToOuterDisposeScope();
            }
        }
        var state = new DeviceState(_plan, _job, batch, distinct, promptOfRow, cache);
        using (NewDisposeScope())
        {
            var (token, sound) = _script.invoke<(Tensor, Tensor)>(
                "draw", logits, state.Uniforms.select(1, 0), _job.Settings.Temperature, _job.Settings.TopK, _job.Settings.TopP);
            state.Token.copy_(token);
            state.Sound.copy_(sound);
            state.Out.select(1, 0).copy_(token);
        }
        logits.Dispose();
        return state;
    }

    private void Step(DeviceState state, int seen)
    {
        var s = _job.Settings;
        _script.invoke<Tensor>(
            "step", state.Token, state.Position, state.At, state.Out, state.Sound, state.Uniforms, state.Bias, state.Slots ?? _none,
            state.Cos ?? _none, state.Sin ?? _none, _plan.Embedding, _plan.Positions ?? _none, _final, _layers, state.Cache,
            state.Prompts, state.PerPrompt, seen, _plan.Gated ? 0 : 1 + (int)_plan.Activation, 1 / Math.Sqrt(_plan.Shape.HeadSize), _plan.NormEpsilon,
            s.Temperature, s.TopK, s.TopP);
    }

    /// <summary>Runs one step after another; recorded, where that pays, and recorded anew when its shapes change.</summary>
    private sealed class Steps(DeviceSampler sampler, DeviceState state) : IDisposable
    {
        private readonly bool _records = sampler.Records && sampler._plan.Device.type == DeviceType.CUDA;
        private readonly int _longest = sampler._job.Settings.MaxNewTokens;
        private CudaGraph? _graph;
        private int _seen;

        /// <param name="done">New tokens so far: caches are looked at up to the stride's end.</param>
        public void Next(int done)
        {
            int stride = sampler._plan.Device.type == DeviceType.CUDA ? SeenOnDevice : SeenOnHost, seen = Math.Min(_longest, (done + stride) / stride * stride);
            if (seen == _seen && _records)
            {
                // The first step of a shape ran plainly, so that whatever libraries set up on first use is there.
                if (_graph is null)
                {
                    _graph = new CudaGraph();
                    _graph.Record(() => Plain(seen));
                }

                _graph.Replay();
                return;
            }

            Forget();
            _seen = seen;
            Plain(seen);
        }

        /// <summary>The tensors are about to change.</summary>
        public void Forget()
        {
            if (_graph is not null)
                cuda.synchronize(sampler._plan.Device);
            _graph?.Dispose();
            (_graph, _seen) = (null, 0);
        }

        public void Dispose() => Forget();

        private void Plain(int seen)
        {
            using var stepScope = NewDisposeScope();
            sampler.Step(state, seen);
        }
    }

    // Waits for the device and hands the tokens of steps first..end-1 to their rows.
    private void Look(SampledRow[] live, DeviceState state, int first, int end, Action report)
    {
        using var scope = NewDisposeScope();
        if (!state.Sound.all().item<bool>())
            throw new ArgumentException("the model's logits are not finite: no token can be drawn");
        var tokens = state.Out.narrow(1, first, end - first).cpu().contiguous().data<long>().ToArray();
        for (int r = 0; r < live.Length; r++)
        {
            for (int t = 0; t < end - first; t++)
                live[r].Take((int)tokens[r * (end - first) + t], _job.Ends);
        }
        report();
    }

    private Tensor Index(int[] values) => tensor(Array.ConvertAll(values, v => (long)v)).to(_plan.Device);
}
