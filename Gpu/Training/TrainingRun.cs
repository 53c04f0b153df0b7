// Shapes: B batch, T time, V vocabulary
using System.Diagnostics;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Training;

/// <summary>A training under way: model, optimizer, schedule and position; epochs are run one by one.</summary>
internal sealed class TrainingRun : IDisposable
{
    private readonly CausalModel _model;
    private readonly LanguageModelTrainingSettings _settings;
    private readonly PackedWindows _windows;
    private readonly LearningRateSchedule _schedule;
    private readonly Parameter[] _parameters;
    private readonly AdamW _optimizer;
    private readonly ICollective? _group;
    private readonly DeviceWork _work;
    private readonly List<double> _losses = [];
    private readonly long _started = Stopwatch.GetTimestamp();
    private bool _stopping;

    /// <param name="parameters">What is trained; null: the model's own parameters that ask for gradients.</param>
    internal TrainingRun(CausalModel model, IReadOnlyList<int[]> documents, LanguageModelTrainingSettings settings, ICollective? group = null, IReadOnlyList<Parameter>? parameters = null)
    {
        if (settings.SequenceLength > model.Shape.MaxLength)
            throw new ArgumentException($"SequenceLength must be at most the model's MaxLength {model.Shape.MaxLength}, got {settings.SequenceLength}");
        CheckTokens(documents, model.Shape.VocabularySize);
        (_model, _group) = (model, group);
        _work = new DeviceWork(model.Device, "train");
        _settings = settings;
        _windows = new PackedWindows(documents, settings.SequenceLength, settings.BatchSize, settings.Seed);
        Steps = settings.Steps > 0 ? settings.Steps : checked(settings.Epochs * _windows.StepsPerEpoch);
        _schedule = new LearningRateSchedule(settings.LearningRate, settings.FinalLearningRateShare, settings.WarmUpSteps, Steps);
        _parameters = [.. parameters ?? model.parameters().Where(p => p.requires_grad)];
        _optimizer = optim.AdamW(
            [
                new AdamW.ParamGroup(_parameters.Where(p => p.dim() >= 2), settings.LearningRate, 0.9, 0.95, 1e-8, settings.WeightDecay),
                new AdamW.ParamGroup(_parameters.Where(p => p.dim() < 2), settings.LearningRate, 0.9, 0.95, 1e-8, 0),
            ],
            settings.LearningRate);
        group?.Broadcast(_parameters);
        model.train();
    }

    internal int Steps { get; }

    internal int StepsDone => _losses.Count;

    internal long Tokens { get; private set; }

    internal IReadOnlyList<double> Losses => _losses;

    internal TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>Runs one pass over the documents, or what is left of the steps; returns the mean loss.</summary>
    internal double RunEpoch(int epoch, IProgress<TrainingProgress>? progress, CancellationToken ct)
    {
        var before = _losses.Count;
        foreach (var (ids, batch, time) in _windows.Epoch(epoch))
        {
            if (_losses.Count == Steps)
                break;
            if (_group is null ? ct.IsCancellationRequested : _stopping)
                throw new OperationCanceledException(ct);
            _losses.Add(Step(ids, batch, time, ct));
            Tokens += (long)batch * time;
            progress?.Report(new TrainingProgress(_losses.Count, Steps, _losses[^1], Tokens / Math.Max(1e-9, Elapsed.TotalSeconds)));
        }
        return _losses.Skip(before).DefaultIfEmpty(double.NaN).Average();
    }

    // In a group each rank has its share of the windows, and the sum of the gradients.
    private double Step(long[] ids, int batch, int time, CancellationToken ct)
    {
        using var scope = NewDisposeScope(); // all of a step's tensors, or 57 MB of them leak each time
        _work.Begin();
        _optimizer.zero_grad();
        double value = 0;
        long[] own = [.. _group.Share(ids.Chunk(time + 1).ToArray()).SelectMany(row => row)];
        if (own.Length > 0)
        {
            long rows = own.Length / (time + 1);
            var window = tensor(own, [rows, time + 1]).to(_model.Device);
            var logits = _model.Forward(window.narrow(1, 0, time)).to_type(ScalarType.Float32); // as it is, unless the weights are of half precision
            var loss = nn.functional.cross_entropy(logits.view(rows * time, -1), window.narrow(1, 1, time).reshape(-1));
            if (rows < batch)
                loss = loss * ((double)rows / batch);
            _work.Took("forward");
            loss.backward();
            value = loss.item<float>();
            _work.Took("backward");
            _work.Tokens(rows * time);
        }
        _group?.Sum(_parameters);
        // Who is to stop tells the others, so that all stop after the same step.
        var sums = _group.Sum(_model.Device, value, ct.IsCancellationRequested ? 1 : 0);
        (value, _stopping) = (sums[0], sums[1] > 0);
        if (_group is not null)
            _work.Took("exchange");
        nn.utils.clip_grad_norm_(_parameters, _settings.MaxGradientNorm);
        var rate = _schedule.At(_losses.Count);
        foreach (var parameters in _optimizer.ParamGroups)
            parameters.LearningRate = rate;
        if (!double.IsFinite(value))
            throw new TrainingDivergedException($"the loss is {value} at step {_losses.Count + 1} of {Steps}; a LearningRate below {_settings.LearningRate} may help");
        _optimizer.step();
        _work.Took("update");
        return value;
    }

    private static void CheckTokens(IReadOnlyList<int[]> documents, int vocabulary)
    {
        for (var d = 0; d < documents.Count; d++)
        {
            var wrong = Array.FindIndex(documents[d], id => (uint)id >= (uint)vocabulary);
            if (wrong >= 0) // libtorch would read beyond the embedding on a GPU
                throw new ArgumentException($"token ids must be in [0, {vocabulary}), got {documents[d][wrong]} in document {d}");
        }
    }

    public void Dispose()
    {
        using (var scope = NewDisposeScope())
        {
            foreach (var parameter in _parameters)
                parameter.grad = null; // else the gradients live on with the model
        }
        _optimizer.Dispose();
        _model.eval();
    }
}
