using Chorus.Actors.Clients;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Methods;
using Chorus.Actors.Policy;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli;

/// <summary>The models that a real run works with.</summary>
internal static class Models
{
    public static PolicyFactory Policy { get; } = TorchPolicy.Create;

    public static DownstreamFactory Downstream { get; } = TorchDownstream.Create;

    public static Func<Func<RunSettings, DeviceThread>, ClientTrainerFactory> ClientTrainers { get; } = TorchClientTrainers.On;
}
