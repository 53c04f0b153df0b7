using System.Buffers;
using System.Runtime.InteropServices;
using Chorus.Actors.Clients;
using Chorus.Actors.Methods;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.FedAvg;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Tests.Support;

/// <summary>Client training without a model: a client's change of the weights is the lengths of its texts, alternately up and down.</summary>
internal static class StubTrainers
{
    public static Func<Func<RunSettings, DeviceThread>, ClientTrainerFactory> Factory { get; } =
        _ => (settings, _) => weights => new Trainer(settings.Federated.Clip, MemoryMarshal.Cast<byte, float>(weights.Span).ToArray());

    private sealed class Trainer(double clip, float[] weights) : IClientTrainer
    {
        public int VoteLength => weights.Length;

        public Task<(VoteKind Kind, long[] Grid)> TrainAsync(IReadOnlyList<string> texts)
        {
            var change = new float[VoteLength];
            for (var i = 0; i < texts.Count; i++)
                change[i % VoteLength] += (i % 2 == 0 ? 0.001f : -0.001f) * texts[i].Length * weights[i % VoteLength];
            var grid = ArrayPool<long>.Shared.Rent(VoteLength);
            ClippedUpdate.TryClip(change, clip, grid.AsSpan(0, VoteLength));
            return Task.FromResult((texts.Count == 0 ? VoteKind.NoText : VoteKind.Counted, grid));
        }
    }
}
