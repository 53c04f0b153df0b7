using Chorus.Actors.Settings;

namespace Chorus.Actors.Evaluation;

/// <summary>
/// The small next-token model that shows what the synthetic data is worth. Synchronous; its actor calls it on the
/// device's own thread only.
/// </summary>
public interface IDownstreamExperiment : IDisposable
{
    /// <summary>Trains on the public texts from scratch and tests: the floor, where the other arms start.</summary>
    ArmMeasured Floor(IReadOnlyList<string> publicTexts, IReadOnlyList<string> heldOut, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Trains on from the floor on the arm's own texts and tests.</summary>
    ArmMeasured From(string arm, IReadOnlyList<string> texts, IReadOnlyList<string> heldOut, Action<long, long, string> progress, CancellationToken ct);
}

/// <summary>Makes the experiment of a run.</summary>
public delegate IDownstreamExperiment DownstreamFactory(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct);
