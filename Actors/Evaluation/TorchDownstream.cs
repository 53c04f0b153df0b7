using Chorus.Actors.Settings;
namespace Chorus.Actors.Evaluation;
public static class TorchDownstream { public static IDownstreamExperiment Create(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct) => throw new NotSupportedException(); }
