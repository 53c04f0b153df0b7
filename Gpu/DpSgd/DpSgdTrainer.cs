using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>DP-SGD on examples, one step at a time: draw, clip and sum in micro-batches, noise and update once.</summary>
/// <remarks>
/// A step is one release with sensitivity C, noise multiplier sigma and the sampling of the settings; a step that draws nobody is one too.
/// All of the trainer's work is done on the thread that calls it, and nothing waits for the device but <see cref="Report"/> and adaptive thresholds.
/// </remarks>
public sealed partial class DpSgdTrainer : IDisposable
{
    private readonly CausalModel _model;
    private readonly LoraAdapter? _adapter;
    private readonly IReadOnlyList<int[]> _examples;
    private readonly DpSgdSettings _settings;
    private readonly IDpKernels _kernels;
    private readonly IGradientSource _source;
    private readonly Tensor?[] _moments;
    private readonly Tensor?[] _secondMoments;
    private readonly Tensor _lossSum; // float64 [2]: the sum of finite losses, and how many they are
    private long _notFiniteBefore;
    private RunSecret _secret;

    /// <param name="model">Its parameters that ask for gradients are trained in place; it outlives the trainer.</param>
    /// <param name="adapter">An adapter on the model, trained with it, or null.</param>
    /// <param name="examples">Token ids. An example is what the privacy protects; one with fewer than two tokens adds nothing.</param>
    /// <param name="kernels">Null for those of the device.</param>
    /// <exception cref="ArgumentException">Settings that do not fit, tokens outside the vocabulary, sequences beyond the model's MaxLength.</exception>
    /// <exception cref="NotSupportedException">A layer has no rule for per-sample gradients; the message names it.</exception>
    public DpSgdTrainer(CausalModel model, LoraAdapter? adapter, IReadOnlyList<int[]> examples, DpSgdSettings s, IDpKernels? kernels = null)
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
        (_model, _adapter, _examples, _settings, _kernels) = (model, adapter, examples, s, kernels ?? DpKernels.For(model.Device));
        _secret = s.Seed is { } seed ? RunSecret.FromSeed(seed) : RunSecret.New();
        _source = s.Method == DpMethod.None ? new PlainGradients(model, adapter) : new PrivateGradients(model, adapter, s.Clipping, s.Method, _kernels);
        bool first = s.Optimizer == DpOptimizer.AdamW || s.Momentum != 0, second = s.Optimizer == DpOptimizer.AdamW;
        _moments = [.. Parameters.Select(p => first ? Moment(p) : null)];
        _secondMoments = [.. Parameters.Select(p => second ? Moment(p) : null)];
        _lossSum = zeros([2], ScalarType.Float64, model.Device).DetachFromDisposeScope();
    }

    /// <summary>Steps done since the run's start.</summary>
    public int StepsDone { get; private set; }

    /// <summary>Targets computed since the trainer was made.</summary>
    public long Tokens { get; private set; }

    /// <summary>Examples that the next step draws with: batch / examples.</summary>
    public double SamplingRate => (double)_settings.LogicalBatch / _examples.Count;

    /// <summary>What is trained.</summary>
    public IReadOnlyList<ClippedParameter> Parameters => _source.Parameters;

    /// <summary>What is clipped together, with the thresholds of the next step.</summary>
    public IReadOnlyList<ClippingGroup> Groups => _source.Groups;

    /// <summary>One logical batch and its update.</summary>
    public void Step()
    {
        if (StepsDone == int.MaxValue)
            throw new InvalidOperationException("a run has at most 2^31 - 1 steps");
        uint step = (uint)StepsDone;
        ulong key = _secret.Key("sampling");
        var drawn = _settings.Sampling == ExampleSampling.Poisson
            ? ExampleSampler.Poisson(_examples.Count, SamplingRate, key, step)
            : ExampleSampler.FixedSize(_examples.Count, _settings.LogicalBatch, key, step);
        foreach (var part in drawn.Chunk(_settings.PhysicalBatch))
            Accumulate([.. part.Select(i => _examples[i])]);
        Update(step);
        if (_settings.Clipping.Thresholds == ThresholdChoice.Adaptive && Groups.Count > 0)
            Adapt(drawn.Count, step);
        StepsDone++;
    }

    /// <summary>Figures since the last report; reads the device.</summary>
    public DpTrainingReport Report()
    {
        using var scope = NewDisposeScope();
        var sums = _lossSum.cpu().data<double>().ToArray();
        _lossSum.zero_();
        return new DpTrainingReport(StepsDone, sums[1] > 0 ? sums[0] / sums[1] : double.NaN, Tokens, NotFinite());
    }

    public void Dispose()
    {
        _source.Dispose();
        foreach (var tensor in _moments.Concat(_secondMoments))
            tensor?.Dispose();
        _lossSum.Dispose();
    }

    private void Accumulate(IReadOnlyList<int[]> samples)
    {
        using var scope = NewDisposeScope();
        var batch = SampleBatch.Of(samples, _settings.SequenceLength, _model.Device);
        var losses = _source.Accumulate(batch.Batch, batch.Lengths, () => batch.Losses(_model, _settings.Loss)).to_type(ScalarType.Float64);
        var counts = losses.isfinite();
        if (batch.Lengths is not null)
            counts.logical_and_(batch.Lengths.gt(0));
        _lossSum.add_(stack([where(counts, losses, zeros_like(losses)).sum(), counts.to_type(ScalarType.Float64).sum()]));
        Tokens += batch.Tokens;
    }

    private void Update(uint step)
    {
        using var scope = NewDisposeScope();
        var s = _settings;
        var rule = OptimizerStep.Of(s.Optimizer, step + 1L, s.LearningRate, 1.0 / s.LogicalBatch, 0, s.Momentum, s.Beta1, s.Beta2, s.Epsilon);
        ulong key = _secret.Key("noise");
        float noise = (float)(s.NoiseMultiplier * s.Clipping.Threshold);
        for (int i = 0; i < Parameters.Count; i++)
        {
            var p = Parameters[i];
            var own = p.Parameter.dim() >= 2 ? rule with { WeightDecay = (float)s.WeightDecay } : rule;
            _kernels.Update(p.Parameter, p.Gradient, _moments[i], _secondMoments[i], own, new NoiseDraw(key, step, p.Index, noise));
        }
        _source.Clear();
    }

    private void Adapt(int samples, uint step)
    {
        using var scope = NewDisposeScope();
        var counts = stack(Groups.Select(g => g.Within!)).view(-1).cpu().data<float>().ToArray();
        Thresholds.Adapt(Groups, [.. counts.Select(c => (double)c)], samples, _settings.LogicalBatch, _settings.Clipping, _secret.Key("noise"), step);
        foreach (var group in Groups)
            group.Within!.zero_();
    }

    private long NotFinite()
    {
        using var scope = NewDisposeScope();
        return _notFiniteBefore + (long)_source.NotFinite.item<float>();
    }

    private static Tensor Moment(ClippedParameter p) => zeros(p.Parameter.shape, p.Parameter.dtype, p.Parameter.device).DetachFromDisposeScope();

    // All that decides the run but its length, and the weights that it starts from.
    private string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var s = _settings with { PhysicalBatch = 1, Seed = null };
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{_model.Shape} {_model.Type} {s} {_adapter?.Settings} {_settings.Seed}")));
        foreach (var example in _examples)
        {
            hash.AppendData(BitConverter.GetBytes(example.Length));
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(example.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
