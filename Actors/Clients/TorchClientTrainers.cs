using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Methods;
using Chorus.Actors.Settings;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Training;
using Chorus.Simulation.FedAvg;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Clients;

/// <summary>
/// Client training with the downstream model of Chorus.Gpu, on a device's thread: one model a node, which every client of the node
/// trains in turn from the round's weights.
/// </summary>
public static class TorchClientTrainers
{
    /// <summary>Makes a node's factory.</summary>
    /// <param name="device">The thread of the device that a run's settings name, made when it is first needed; not owned.</param>
    public static ClientTrainerFactory On(Func<RunSettings, DeviceThread> device) => (settings, publicTexts) =>
    {
        var model = new NodeModel(device(settings), settings, publicTexts);
        return weights => new Trainer(model, weights);
    };

    /// <summary>What all rounds of a run share on a node. Only <see cref="Device"/> may be touched beside its thread.</summary>
    private sealed class NodeModel(DeviceThread device, RunSettings settings, IReadOnlyList<string> publicTexts)
    {
        private readonly Lazy<(DownstreamModel Of, CausalModel Blank)> _model = new(() =>
        {
            var of = new DownstreamModel(settings, publicTexts, CancellationToken.None);
            return (of, of.Blank());
        });

        private LocalTraining? _training;
        private Trainer? _for;

        public DeviceThread Device => device;

        public FederatedSettings Settings => settings.Federated;

        public int[][] Tokens(IReadOnlyList<string> texts) => _model.Value.Of.Tokens(texts.Take(Settings.ClientTexts));

        /// <summary>The training of a round; that of the round before ends.</summary>
        public LocalTraining For(Trainer trainer, ReadOnlySpan<float> weights)
        {
            if (_training is not null && _for == trainer)
                return _training;
            _training?.Dispose();
            _training = null;
            var (of, blank) = _model.Value;
            _training = new LocalTraining(
                blank, weights, new LocalTrainingSettings(Settings.LocalEpochs, Settings.LocalBatch, of.Length, Settings.LocalLearningRate));
            _for = trainer;
            return _training;
        }
    }

    private sealed class Trainer(NodeModel model, ReadOnlyMemory<byte> weights) : IClientTrainer
    {
        private readonly byte[] _weights = weights.ToArray();

        // Of the order of a client's documents: another each round, and the same on every node.
        private readonly ulong _seed = BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(weights.Span));

        public int VoteLength => _weights.Length / sizeof(float);

        public Task<(VoteKind Kind, long[] Grid)> TrainAsync(IReadOnlyList<string> texts) => model.Device.Run(() => Train(texts));

        private (VoteKind Kind, long[] Grid) Train(IReadOnlyList<string> texts)
        {
            var training = model.For(this, MemoryMarshal.Cast<byte, float>(_weights.AsSpan()));
            float[]? change = texts.Count == 0 ? null : training.Train(model.Tokens(texts), _seed);
            var grid = ArrayPool<long>.Shared.Rent(VoteLength);
            var vote = grid.AsSpan(0, VoteLength);
            vote.Clear();
            return change is null ? (VoteKind.NoText, grid)
                : (ClippedUpdate.TryClip(change, model.Settings.Clip, vote) ? VoteKind.Counted : VoteKind.NotFinite, grid);
        }
    }
}
