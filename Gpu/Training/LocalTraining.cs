using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Training;

/// <summary>How a federated client trains.</summary>
/// <param name="Epochs">Passes over its documents, at least 1.</param>
/// <param name="BatchSize">Windows in a step, at least 1.</param>
/// <param name="SequenceLength">Tokens of a window.</param>
/// <param name="LearningRate">Of plain SGD, above 0.</param>
public sealed record LocalTrainingSettings(int Epochs, int BatchSize, int SequenceLength, double LearningRate);

/// <summary>
/// Trains one model for many federated clients, one after another: each begins at the round's weights and is asked for the change
/// that its own documents bring (arXiv:1602.05629, ClientUpdate).
/// </summary>
/// <remarks>Plain SGD: a client keeps no state between rounds. Not thread-safe: all calls come from one device's thread.</remarks>
public sealed class LocalTraining : IDisposable
{
    private readonly CausalModel _model;
    private readonly LocalTrainingSettings _settings;
    private readonly Parameter[] _parameters;
    private readonly Tensor[] _start;

    /// <param name="model">Overwritten by every client; the caller keeps it.</param>
    /// <param name="weights">The round's, as <see cref="FlatWeights"/> has them.</param>
    /// <exception cref="ArgumentException">The model has another number of weights, or is too short for the windows.</exception>
    public LocalTraining(CausalModel model, ReadOnlySpan<float> weights, LocalTrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.SequenceLength > model.Shape.MaxLength)
            throw new ArgumentException($"SequenceLength must be at most the model's MaxLength {model.Shape.MaxLength}, got {settings.SequenceLength}");
        FlatWeights.Write(model, weights);
        (_model, _settings) = (model, settings);
        _parameters = [.. model.parameters()];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        _start = [.. _parameters.Select(p => p.detach().clone().DetachFromDisposeScope())];
    }

    /// <summary>Trains from the round's weights on a client's documents.</summary>
    /// <param name="documents">Token ids of each, with its end token; of fewer than two tokens in all nothing is learned.</param>
    /// <param name="seed">Of their order.</param>
    /// <returns>Trained weights less those it began with; a new array. Not finite where the training diverged.</returns>
    public float[] Train(IReadOnlyList<int[]> documents, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(documents);
        Reset();
        if (documents.Sum(d => d.Length) >= 2)
        {
            var windows = new PackedWindows(documents, _settings.SequenceLength, _settings.BatchSize, seed);
            for (int epoch = 1; epoch <= _settings.Epochs; epoch++)
            {
                foreach (var (ids, batch, time) in windows.Epoch(epoch))
                    Step(ids, batch, time);
            }
        }

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return FlatWeights.Join(_parameters.Select((p, i) => p - _start[i]));
    }

    public void Dispose()
    {
        foreach (var tensor in _start)
            tensor.Dispose();
        using var scope = NewDisposeScope();
        foreach (var parameter in _parameters)
            parameter.grad = null;
    }

    private void Reset()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        for (int i = 0; i < _parameters.Length; i++)
            _parameters[i].copy_(_start[i]);
    }

    private void Step(long[] ids, int batch, int time)
    {
        using var scope = NewDisposeScope();
        var window = tensor(ids, [batch, time + 1]).to(_model.Device);
        var logits = _model.Forward(window.narrow(1, 0, time)).to_type(ScalarType.Float32);
        var loss = nn.functional.cross_entropy(logits.view((long)batch * time, -1), window.narrow(1, 1, time).reshape(-1));
        foreach (var parameter in _parameters)
            parameter.grad = null;
        loss.backward();
        using var noGrad = no_grad();
        foreach (var parameter in _parameters)
        {
            if (parameter.grad is { } gradient)
                parameter.add_(gradient, alpha: -_settings.LearningRate);
        }
    }
}
