using System.Collections.Immutable;
using System.Diagnostics;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Training;

/// <summary>Measures what synthetic data is worth: next-token accuracy of a small model trained on it, between floor and ceiling.</summary>
/// <remarks>
/// Each arm's documents are split by a seeded draw into training and validation, and the epoch that is best on validation is
/// kept; the test set is used once, for the kept weights. Validation documents are of the arm's own data. Were epochs chosen by
/// the test set, every arm's figure would be a maximum over its epochs, and so too high; were the synthetic arm's chosen by
/// private documents, it would use private data that its privacy budget never paid for.
/// </remarks>
public sealed class DownstreamExperiment
{
    private readonly DownstreamSettings _settings;
    private readonly Func<torch.Device, CausalModel> _newModel;
    private readonly torch.Device[] _devices;

    /// <exception cref="ArgumentException">The lengths in the settings exceed the model's MaxLength, or there is no shape.</exception>
    /// <param name="device">Where the models live.</param>
    /// <param name="others">Devices that train together with it; null is none.</param>
    public DownstreamExperiment(DownstreamSettings settings, torch.Device device, IReadOnlyList<torch.Device>? others = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var shape = settings.Model ?? throw new ArgumentException("settings must have the Model that is trained from nothing");
        shape.Validate();
        CheckLength(settings, shape.MaxLength);
        _settings = settings;
        _devices = [device, .. others ?? []];
        _newModel = d => new LlamaModel(shape, settings.Seed, d);
    }

    /// <summary>An experiment whose floor goes on from a checkpoint and not from random weights.</summary>
    /// <param name="settings">Its Model plays no part.</param>
    /// <param name="device">Where the models live.</param>
    /// <param name="checkpoint">A Llama or GPT-2 model in Hugging Face layout.</param>
    /// <param name="loading">Type of the weights; all of them are trained, for which half precision is coarse.</param>
    /// <param name="others">Devices that train together with it; null is none.</param>
    /// <exception cref="ArgumentException">The lengths in the settings exceed the model's.</exception>
    public DownstreamExperiment(DownstreamSettings settings, torch.Device device, string checkpoint, CheckpointLoading loading, IReadOnlyList<torch.Device>? others = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        CheckLength(settings, CausalCheckpoint.ReadShape(checkpoint).MaxLength);
        _settings = settings;
        _devices = [device, .. others ?? []];
        _newModel = d => CausalCheckpoint.Load(checkpoint, d, loading);
    }

    /// <summary>Runs all three arms; popri and ceiling both go on from the floor's chosen weights.</summary>
    /// <param name="publicDocuments">Token ids of public texts, each with its end token; as for all that follow.</param>
    /// <param name="synthetic">Synthetic texts.</param>
    /// <param name="privateTraining">Private texts of the training clients; what is made of them must not leave the simulation.</param>
    /// <param name="test">Held-out texts.</param>
    /// <param name="progress">Told after each step.</param>
    /// <param name="ct">Ends the experiment between two steps.</param>
    /// <exception cref="ArgumentException">An arm has fewer than two documents, or ids are outside the vocabulary.</exception>
    /// <exception cref="TrainingDivergedException">A loss is no longer finite.</exception>
    public DownstreamResult Run(
        IReadOnlyList<int[]> publicDocuments, IReadOnlyList<int[]> synthetic, IReadOnlyList<int[]> privateTraining, IReadOnlyList<int[]> test,
        IProgress<DownstreamProgress>? progress = null, CancellationToken ct = default)
    {
        var floor = Train("floor", null, publicDocuments, test, out var floorModel, progress, ct);
        using (floorModel)
        {
            var popri = Train("popri", floorModel, synthetic, test, out var model, progress, ct);
            model.Dispose();
            var ceiling = Train("ceiling", floorModel, privateTraining, test, out model, progress, ct);
            model.Dispose();
            return new DownstreamResult(floor, popri, ceiling);
        }
    }

    /// <summary>Trains one arm, keeps the epoch that is best on validation, and measures it on the test documents.</summary>
    /// <param name="name">The arm's name; it takes no part in the arithmetic.</param>
    /// <param name="start">The model to go on from, which stays as it is; null trains a new one from the seed.</param>
    /// <param name="documents">The arm's own documents, two or more.</param>
    /// <param name="test">Held-out documents.</param>
    /// <param name="trained">The model with the chosen epoch's weights, which the caller owns.</param>
    /// <param name="progress">Told after each step.</param>
    /// <param name="ct">Ends the training between two steps.</param>
    /// <inheritdoc cref="Run" path="/exception"/>
    public ArmResult Train(
        string name, CausalModel? start, IReadOnlyList<int[]> documents, IReadOnlyList<int[]> test, out CausalModel trained,
        IProgress<DownstreamProgress>? progress = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(test);
        var began = Stopwatch.GetTimestamp();
        var (training, validation) = Split(name, documents);
        var model = _newModel(_devices[0]);
        try
        {
            if (start is not null && start.Shape != model.Shape)
                throw new ArgumentException($"start must have the shape of the settings' Model {model.Shape}, got {start.Shape}");
            if (start is not null)
            {
                using var scope = NewDisposeScope();
                Copy(Weights(start), model);
            }
            var (epochs, chosen, tokens) = _devices.Length == 1
                ? TrainEpochs(name, model, start is not null, training, validation, progress, ct, null)
                : LocalGroup.Run(_devices, CollectiveKind.Auto, (group, device) =>
                {
                    using var copy = group.Rank == 0 ? null : _newModel(device); // its weights are rank 0's once the training begins
                    return TrainEpochs(name, copy ?? model, start is not null, training, validation, group.Rank == 0 ? progress : null, ct, group);
                })[0];
            var (each, loss) = NextTokenAccuracy.MeasureEach(model, test, _settings.EvaluationLength, _settings.EvaluationBatchSize, ct);
            trained = model;
            return new ArmResult(name, epochs, chosen, epochs[chosen].ValidationAccuracy, each, loss, training.Count, validation.Count, tokens, Stopwatch.GetElapsedTime(began));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private (ImmutableArray<DownstreamEpoch> Epochs, int Chosen, long Tokens) TrainEpochs(
        string name, CausalModel model, bool further, IReadOnlyList<int[]> training, IReadOnlyList<int[]> validation,
        IProgress<DownstreamProgress>? progress, CancellationToken ct, ICollective? group)
    {
        var most = further ? _settings.MaxEpochs : _settings.MaxFloorEpochs;
        var settings = _settings.Training with
        {
            Steps = 0,
            Epochs = most,
            Seed = _settings.Seed,
            LearningRate = further ? _settings.FurtherLearningRate : _settings.Training.LearningRate,
        };
        using var run = new TrainingRun(model, training, settings, group);
        using var scope = NewDisposeScope();
        var epochs = ImmutableArray.CreateBuilder<DownstreamEpoch>();
        epochs.Add(new DownstreamEpoch(0, null, Validated()));
        var chosen = 0;
        var best = Weights(model);
        for (var epoch = 1; epoch <= most && epoch - chosen <= _settings.Patience; epoch++)
        {
            var at = epoch;
            var loss = run.RunEpoch(epoch, progress is null ? null : new Relay(step => progress.Report(new DownstreamProgress(name, at, most, step))), ct);
            epochs.Add(new DownstreamEpoch(epoch, loss, Validated()));
            if (epochs[epoch].ValidationAccuracy > epochs[chosen].ValidationAccuracy)
            {
                chosen = epoch;
                foreach (var weight in best)
                    weight.Dispose();
                best = Weights(model);
            }
        }
        Copy(best, model);
        return (epochs.ToImmutable(), chosen, run.Tokens);

        // Rank 0 measures, and all go by that.
        double Validated() => group.Sum(model.Device, group is null || group.Rank == 0 ? Accuracy(model, validation, ct) : 0)[0];
    }

    private (IReadOnlyList<int[]> Training, IReadOnlyList<int[]> Validation) Split(string name, IReadOnlyList<int[]> documents)
    {
        if (documents.Count < 2)
            throw new ArgumentException($"arm {name} must have 2 documents or more, one of them for validation, got {documents.Count}");
        var count = Math.Clamp((int)(documents.Count * _settings.ValidationShare), 1, Math.Min(_settings.MaxValidationDocuments, documents.Count - 1));
        var order = new SeededShuffle(_settings.Seed, ulong.MaxValue).Order(documents.Count); // a stream that no epoch has
        return ([.. order.Skip(count).Order().Select(i => documents[i])], [.. order.Take(count).Order().Select(i => documents[i])]);
    }

    private static void CheckLength(DownstreamSettings settings, int maxLength)
    {
        if (settings.EvaluationLength > maxLength)
            throw new ArgumentException($"EvaluationLength must be at most the model's MaxLength {maxLength}, got {settings.EvaluationLength}");
    }

    private double Accuracy(CausalModel model, IReadOnlyList<int[]> documents, CancellationToken ct) =>
        NextTokenAccuracy.Measure(model, documents, _settings.EvaluationLength, _settings.EvaluationBatchSize, ct).Accuracy;

    private static List<Tensor> Weights(CausalModel model)
    {
        using var noGrad = no_grad();
        return [.. model.parameters().Select(p => p.detach().clone())];
    }

    private static void Copy(List<Tensor> weights, CausalModel model)
    {
        using var noGrad = no_grad();
        foreach (var (parameter, weight) in model.parameters().Zip(weights))
            parameter.copy_(weight);
    }

    // Progress<T> would report from the thread pool, out of order.
    private sealed class Relay(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
