using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>DP-SGD on examples, one step at a time: draw, clip and sum in micro-batches, noise and update once.</summary>
/// <remarks>
/// A step is one release with sensitivity C, noise multiplier sigma and the sampling of the settings; a step that draws nobody is one too.
/// All of the trainer's work is done on the thread that calls it, and nothing waits for the device but <see cref="Report"/> and adaptive thresholds.
/// In a group each rank has a trainer of its own, with the same model, examples and settings, and calls the same members in the same order. The whole group
/// has one draw, of which each rank takes an even share; clipped sums are added up over the ranks; and each rank updates its slice of the parameters, with the noise
/// that these elements would get from one trainer alone. So the noise is in the sum once, however many ranks there are.
/// </remarks>
public sealed partial class DpSgdTrainer : IDisposable
{
    private readonly CausalModel _model;
    private readonly LoraAdapter? _adapter;
    private readonly IReadOnlyList<int[]> _examples;
    private readonly DpSgdSettings _settings;
    private readonly IDpKernels _kernels;
    private readonly IGradientSource _source;
    private readonly ICollective? _group;
    private readonly ShardedParameters? _shards;
    private readonly IReadOnlyList<IReadOnlyList<ParameterPiece>> _pieces; // what this rank updates, bucket by bucket
    private readonly Tensor _lossSum; // float64 [2]: the sum of finite losses, and how many they are
    private readonly RecordedMicroBatches? _recorded;
    private readonly Stopwatch _data = new();
    private readonly string _fingerprint;
    private long _notFiniteBefore, _tokens;
    private bool _together;
    private RunSecret _secret;

    /// <param name="model">Its parameters that ask for gradients are trained in place; it outlives the trainer.</param>
    /// <param name="adapter">An adapter on the model, trained with it, or null.</param>
    /// <param name="examples">Token ids. An example is what the privacy protects; one with fewer than two tokens adds nothing.</param>
    /// <param name="kernels">Null for those of the device.</param>
    /// <param name="group">This rank's place among the trainers of a group, on the model's device; null: there is no other. It stays the caller's.</param>
    /// <param name="sumType">Of the sums of clipped gradients, in a group; null is the parameters' own type.</param>
    /// <exception cref="ArgumentException">Settings that do not fit, tokens outside the vocabulary, sequences beyond the model's MaxLength.</exception>
    /// <exception cref="NotSupportedException">A layer has no rule for per-sample gradients; the message names it.</exception>
    public DpSgdTrainer(CausalModel model, LoraAdapter? adapter, IReadOnlyList<int[]> examples, DpSgdSettings s, IDpKernels? kernels = null, ICollective? group = null, ScalarType? sumType = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(s);
        s.Validate(examples.Count);
        if (s.SequenceLength > model.Shape.MaxLength)
            throw new ArgumentException($"the sequence length must be at most the model's {model.Shape.MaxLength}, got {s.SequenceLength}");
        for (int i = 0; i < examples.Count; i++)
        {
            int wrong = Array.FindIndex(examples[i], id => (uint)id >= (uint)model.Shape.VocabularySize);
            if (wrong >= 0) // libtorch would read beyond the embedding on a GPU
                throw new ArgumentException($"token ids must be in [0, {model.Shape.VocabularySize}), got {examples[i][wrong]} in example {i}");
        }
        (_model, _adapter, _examples, _settings, _kernels, _group) = (model, adapter, examples, s, kernels ?? DpKernels.For(model.Device), group);
        _secret = s.Seed is { } seed ? RunSecret.FromSeed(seed) : RunSecret.New();
        _source = s.Method == DpMethod.None ? new PlainGradients(model, adapter) : new PrivateGradients(model, adapter, s.Clipping, s.Method, _kernels);
        _recorded = group is null ? RecordedMicroBatches.For(model, _source, s) : null;
        if (group is not null)
        {
            _shards = new ShardedParameters(Parameters, group, sumType);
            _source.Watch(_shards.AwaitWeights, _shards.Final);
        }
        _pieces = _shards is not null ? [.. _shards.Pieces] : [[.. Parameters.Select(p => new ParameterPiece(p, 0, p.Parameter.numel()))]];
        foreach (var piece in _pieces.SelectMany(p => p))
            piece.Keep(moment: KeepsMoment, second: s.Optimizer == DpOptimizer.AdamW);
        _fingerprint = Fingerprint();
        _lossSum = zeros([2], ScalarType.Float64, model.Device).DetachFromDisposeScope();
    }

    /// <summary>Steps done since the run's start.</summary>
    public int StepsDone { get; private set; }

    /// <summary>Examples that the next step draws with: batch / examples.</summary>
    public double SamplingRate => (double)_settings.LogicalBatch / _examples.Count;

    /// <summary>What is trained.</summary>
    public IReadOnlyList<ClippedParameter> Parameters => _source.Parameters;

    /// <summary>What is clipped together, with the thresholds of the next step.</summary>
    public IReadOnlyList<ClippingGroup> Groups => _source.Groups;

    /// <summary>One logical batch and its update.</summary>
    /// <param name="more">The next call is another step: in a group the weights then come while its forward pass begins, and are nobody else's to read before.</param>
    /// <exception cref="CollectiveBrokenException">A rank of the group is gone; the weights are then of no step, and the run goes on from its last saved state in a new group.</exception>
    public void Step(bool more = false)
    {
        if (StepsDone == int.MaxValue)
            throw new InvalidOperationException("a run has at most 2^31 - 1 steps");
        if (_recorded is not null)
            CudaGraph.Between(_model.Device, StepOnce); // recording needs a stream that is not the default
        else
            StepOnce();
        if (!more)
            _shards?.AwaitWeights();
    }

    private void StepOnce()
    {
        if (_group is not null && !_together)
            LoadState(null);
        uint step = (uint)StepsDone;
        _data.Start();
        ulong key = _secret.Key("sampling");
        var drawn = _settings.Sampling == ExampleSampling.Poisson
            ? ExampleSampler.Poisson(_examples.Count, SamplingRate, key, step)
            : ExampleSampler.FixedSize(_examples.Count, _settings.LogicalBatch, key, step);
        int[][] parts = [.. Share(drawn).Chunk(_settings.PhysicalBatch)];
        _data.Stop();
        for (int i = 0; i < parts.Length; i++)
        {
            if (i == parts.Length - 1)
                _shards?.Arm();
            Accumulate([.. parts[i].Select(e => _examples[e])]);
        }
        if (drawn.Count > 0)
            _shards?.Reduce();
        Update(step);
        if (_settings.Clipping.Thresholds == ThresholdChoice.Adaptive && Groups.Count > 0)
            Adapt(drawn.Count, step);
        StepsDone++;
    }

    /// <summary>Figures of the whole group since the last report; reads the device. In a group all ranks call it.</summary>
    public DpTrainingReport Report()
    {
        using var scope = NewDisposeScope();
        var counted = tensor([(double)_tokens, NotFinite()], ScalarType.Float64).to(_model.Device);
        var figures = cat([_lossSum, counted]);
        _group?.AllReduce(figures).Wait();
        var sums = figures.cpu().data<double>().ToArray();
        _lossSum.zero_();
        var report = new DpTrainingReport(
            StepsDone, sums[1] > 0 ? sums[0] / sums[1] : double.NaN, (long)sums[2], (long)sums[3], _group?.TakeExposed() ?? TimeSpan.Zero, _data.Elapsed);
        _data.Reset();
        return report;
    }

    public void Dispose()
    {
        _recorded?.Dispose();
        _source.Dispose();
        _shards?.Dispose();
        foreach (var piece in _pieces.SelectMany(p => p))
            piece.Dispose();
        _lossSum.Dispose();
    }

    private bool KeepsMoment => _settings.Optimizer == DpOptimizer.AdamW || _settings.Momentum != 0;

    // The draw is the group's; every example of it is on exactly one rank.
    private int[] Share(IReadOnlyList<int> drawn)
    {
        int[] all = [.. drawn];
        if (_group is null)
            return all;
        int first = (int)((long)all.Length * _group.Rank / _group.Count), end = (int)((long)all.Length * (_group.Rank + 1) / _group.Count);
        return all[first..end];
    }

    private void Accumulate(IReadOnlyList<int[]> samples)
    {
        using var scope = NewDisposeScope();
        _data.Start();
        var batch = SampleBatch.Of(samples, _settings.SequenceLength, _model.Device);
        _data.Stop();
        var losses = (_recorded?.Accumulate(batch) ?? _source.Accumulate(batch.Batch, batch.Lengths, () => batch.Losses(_model, _settings.Loss))).to_type(ScalarType.Float64);
        var counts = losses.isfinite();
        if (batch.Lengths is not null)
            counts.logical_and_(batch.Lengths.gt(0));
        _lossSum.add_(stack([where(counts, losses, zeros_like(losses)).sum(), counts.to_type(ScalarType.Float64).sum()]));
        _tokens += batch.Tokens;
    }

    private void Update(uint step)
    {
        using var scope = NewDisposeScope();
        var s = _settings;
        var rule = OptimizerStep.Of(s.Optimizer, step + 1L, s.LearningRate, 1.0 / s.LogicalBatch, 0, s.Momentum, s.Beta1, s.Beta2, s.Epsilon);
        ulong key = _secret.Key("noise");
        float noise = (float)(s.NoiseMultiplier * s.Clipping.Threshold);
        // First layers first, so that the next forward pass can begin while the weights of later ones still come.
        for (int bucket = _pieces.Count - 1; bucket >= 0; bucket--)
        {
            _shards?.AwaitSums(bucket);
            foreach (var piece in _pieces[bucket])
            {
                var own = piece.Parameter.Parameter.dim() >= 2 ? rule with { WeightDecay = (float)s.WeightDecay } : rule;
                _kernels.Update(piece.Weights(), piece.Sums(), piece.Moment, piece.SecondMoment, own, new NoiseDraw(key, step, piece.Parameter.Index, noise, piece.First));
            }
            _shards?.ShareWeights(bucket);
        }
        _source.Clear();
        _shards?.Finish();
    }

    private void Adapt(int samples, uint step)
    {
        using var scope = NewDisposeScope();
        var within = stack(Groups.Select(g => g.Within!)).view(-1);
        _group?.AllReduce(within).Wait();
        var counts = within.cpu().data<float>().ToArray();
        Thresholds.Adapt(Groups, [.. counts.Select(c => (double)c)], samples, _settings.LogicalBatch, _settings.Clipping, _secret.Key("noise"), step);
        foreach (var group in Groups)
            group.Within!.zero_();
    }

    private long NotFinite()
    {
        using var scope = NewDisposeScope();
        return _notFiniteBefore + (long)_source.NotFinite.item<float>();
    }

    // All that decides the run but its length, and the weights that it starts from.
    private string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var s = _settings with { PhysicalBatch = 1, Seed = null, Recording = StepRecording.Auto };
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{_model.Shape} {_model.Type} {s} {_adapter?.Settings} {_settings.Seed}")));
        foreach (var example in _examples)
        {
            hash.AppendData(BitConverter.GetBytes(example.Length));
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(example.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
