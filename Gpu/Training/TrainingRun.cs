// Shapes: B batch, T time, V vocabulary
using System.Diagnostics;
using Chorus.Gpu.Models;
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
    private readonly List<double> _losses = [];
    private readonly long _started = Stopwatch.GetTimestamp();

    internal TrainingRun(CausalModel model, IReadOnlyList<int[]> documents, LanguageModelTrainingSettings settings)
    {
        if (settings.SequenceLength > model.Shape.MaxLength)
            throw new ArgumentException($"SequenceLength must be at most the model's MaxLength {model.Shape.MaxLength}, got {settings.SequenceLength}");
        CheckTokens(documents, model.Shape.VocabularySize);
        _model = model;
        _settings = settings;
        _windows = new PackedWindows(documents, settings.SequenceLength, settings.BatchSize, settings.Seed);
        Steps = settings.Steps > 0 ? settings.Steps : checked(settings.Epochs * _windows.StepsPerEpoch);
        _schedule = new LearningRateSchedule(settings.LearningRate, settings.FinalLearningRateShare, settings.WarmUpSteps, Steps);
        _parameters = [.. model.parameters().Where(p => p.requires_grad)];
        _optimizer = optim.AdamW(
            [
                new AdamW.ParamGroup(_parameters.Where(p => p.dim() >= 2), settings.LearningRate, 0.9, 0.95, 1e-8, settings.WeightDecay),
                new AdamW.ParamGroup(_parameters.Where(p => p.dim() < 2), settings.LearningRate, 0.9, 0.95, 1e-8, 0),
            ],
            settings.LearningRate);
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
            ct.ThrowIfCancellationRequested();
            _losses.Add(Step(ids, batch, time));
            Tokens += (long)batch * time;
            progress?.Report(new TrainingProgress(_losses.Count, Steps, _losses[^1], Tokens / Math.Max(1e-9, Elapsed.TotalSeconds)));
        }
        return _losses.Skip(before).DefaultIfEmpty(double.NaN).Average();
    }

    private double Step(long[] ids, int batch, int time)
    {
        using var scope = NewDisposeScope(); // all of a step's tensors, or 57 MB of them leak each time
        var window = tensor(ids, [batch, time + 1]).to(_model.Device);
        var logits = _model.Forward(window.narrow(1, 0, time));
        var loss = nn.functional.cross_entropy(logits.view((long)batch * time, -1), window.narrow(1, 1, time).reshape(-1));
        _optimizer.zero_grad();
        loss.backward();
        nn.utils.clip_grad_norm_(_parameters, _settings.MaxGradientNorm);
        var rate = _schedule.At(_losses.Count);
        foreach (var group in _optimizer.ParamGroups)
            group.LearningRate = rate;
        var value = loss.item<float>();
        if (!float.IsFinite(value))
            throw new TrainingDivergedException($"the loss is {value} at step {_losses.Count + 1} of {Steps}; a LearningRate below {_settings.LearningRate} may help");
        _optimizer.step();
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
