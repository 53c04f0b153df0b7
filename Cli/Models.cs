using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;

namespace Chorus.Cli;

/// <summary>The models that a real run works with.</summary>
internal static class Models
{
    public static PolicyFactory Policy { get; } = TorchPolicy.Create;

    public static DownstreamFactory Downstream { get; } = TorchDownstream.Create;
}
