using Chorus.Actors.Settings;
namespace Chorus.Actors.Policy;
public static class TorchPolicy { public static IPolicy Create(RunSettings settings, IReadOnlyList<string> publicTexts, Action<string, long, long, string> progress, CancellationToken ct) => throw new NotSupportedException(); }
