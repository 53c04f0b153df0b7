// Shapes: B samples, T time
using System.Diagnostics;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Whether micro-batches of one shape are recorded as a CUDA graph and repeated.</summary>
public enum StepRecording
{
    /// <summary>Where launching takes the host longer than a good part of what the device needs.</summary>
    Auto,

    /// <summary>Wherever it can be done.</summary>
    On,

    /// <summary>Never.</summary>
    Off,
}

/// <summary>Forward and backward pass of full micro-batches, recorded once and then repeated with one call: models of small layers are otherwise held up by the launching.</summary>
/// <remarks>
/// What is recorded is what would have run: the same kernels on the same numbers, so the same bits. Sums live in the recording's own memory from then on.
/// Recorded are full micro-batches on one GPU with thresholds that stay; all others run as ever. Two recordings are made: one that begins the sums, one that adds to them.
/// </remarks>
internal sealed class RecordedMicroBatches : IDisposable
{
    // Runs before a recording: kernels are loaded, libraries have chosen theirs, and the run-time has compiled its code.
    private const int PlainRuns = 3;
    private const double HostBound = 0.6;

    private readonly CausalModel _model;
    private readonly IGradientSource _source;
    private readonly SampleLossKind _loss;
    private readonly bool _always;
    private readonly (long Batch, long Time) _shape;
    private int _runs;
    private bool? _worthIt;
    private SampleBatch? _inputs;
    private Recording? _begins, _adds;
    private Tensor[] _sums = [];

    private RecordedMicroBatches(CausalModel model, IGradientSource source, DpSgdSettings settings)
    {
        (_model, _source, _loss, _always) = (model, source, settings.Loss, settings.Recording == StepRecording.On);
        _shape = (settings.PhysicalBatch, settings.SequenceLength);
        _worthIt = _always ? true : null;
    }

    /// <summary>Null where nothing can be recorded.</summary>
    public static RecordedMicroBatches? For(CausalModel model, IGradientSource source, DpSgdSettings s) =>
        s.Recording != StepRecording.Off && model.Device.type == DeviceType.CUDA && CudaGraph.Available && CudaDevice.KernelsAvailable
        && s.Method is DpMethod.None or DpMethod.Fused && s.Clipping.Thresholds != ThresholdChoice.Adaptive
            ? new RecordedMicroBatches(model, source, s)
            : null;

    /// <summary>Adds one micro-batch to the sums, as it is or from a recording.</summary>
    /// <returns>The samples' losses, which the caller owns.</returns>
    public Tensor Accumulate(SampleBatch batch)
    {
        bool full = batch.Lengths is null && (batch.Batch, batch.Ids.size(1)) == _shape;
        if (!full || _worthIt == false)
            return Plain(batch);
        if (_runs < PlainRuns || _worthIt is null)
            return Measured(batch);
        _inputs ??= new SampleBatch(Kept(batch.Ids), Kept(batch.Targets), null, Kept(batch.Counts), batch.Tokens);
        _inputs.Ids.copy_(batch.Ids);
        _inputs.Targets.copy_(batch.Targets);
        bool begin = _source.Parameters.All(p => p.Gradient is null);
        if (!begin && !OwnSums())
            return Plain(batch); // the sums were begun by a micro-batch of another shape, in other memory
        ref var recording = ref begin ? ref _begins : ref _adds;
        recording ??= Record(begin);
        recording.Graph.Replay();
        if (begin)
        {
            for (int i = 0; i < _sums.Length; i++)
                _source.Parameters[i].Take(_sums[i].alias());
        }
        return recording.Losses.clone();
    }

    public void Dispose()
    {
        foreach (var recording in new[] { _begins, _adds })
        {
            recording?.Graph.Dispose();
            recording?.Losses.Dispose();
        }
        foreach (var tensor in _sums)
            tensor.Dispose();
        if (_inputs is { } inputs)
        {
            foreach (var tensor in new[] { inputs.Ids, inputs.Targets, inputs.Counts })
                tensor.Dispose();
        }
    }

    private Tensor Plain(SampleBatch batch) => _source.Accumulate(batch.Batch, batch.Lengths, () => batch.Losses(_model, _loss));

    // The last of the plain runs tells how long the host and the device are at it.
    private Tensor Measured(SampleBatch batch)
    {
        if (++_runs < PlainRuns || _worthIt is not null)
            return Plain(batch);
        cuda.synchronize(_model.Device);
        long start = Stopwatch.GetTimestamp();
        var losses = Plain(batch);
        double host = Stopwatch.GetElapsedTime(start).TotalSeconds;
        cuda.synchronize(_model.Device);
        _worthIt = host > HostBound * Stopwatch.GetElapsedTime(start).TotalSeconds;
        return losses;
    }

    private Recording Record(bool begin)
    {
        CachedMemory.Release(_model.Device); // a recording has memory of its own, and what plain runs used would lie idle beside it
        var graph = new CudaGraph();
        Tensor losses = null!;
        graph.Record(() => losses = Plain(_inputs!).DetachFromDisposeScope());
        if (begin)
        {
            _sums = [.. _source.Parameters.Select(p => p.Gradient!.alias().DetachFromDisposeScope())];
            _source.Clear(); // nothing has run yet
        }
        return new Recording(graph, losses);
    }

    private bool OwnSums() =>
        _sums.Length > 0 && _source.Parameters.Zip(_sums).All(p => p.First.Gradient is { } sum && TensorMemory.AddressOf(sum) == TensorMemory.AddressOf(p.Second));

    private static Tensor Kept(Tensor tensor) => tensor.clone().DetachFromDisposeScope();

    private sealed record Recording(CudaGraph Graph, Tensor Losses);
}
