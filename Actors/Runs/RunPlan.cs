using Chorus.Actors.Settings;

namespace Chorus.Actors.Runs;

/// <summary>Which steps a run consists of.</summary>
/// <param name="Rounds">Rounds in which clients are asked; 0 where the method asks none.</param>
/// <param name="WritesTexts">Whether the product is texts: candidates are measured each round, and the texts are written after the last.</param>
/// <param name="Downstream">Whether the downstream model is measured at the end.</param>
public sealed record RunPlan(int Rounds, bool WritesTexts, bool Downstream)
{
    /// <summary>The plan of a run's method. Without a downstream model a method that makes no texts would end with nothing to show, so it is measured.</summary>
    public static RunPlan Of(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var method = settings.Method;
        return new(method.HasRounds() ? settings.Rounds : 0, method.WritesTexts(), settings.Evaluation.Downstream || !method.WritesTexts());
    }
}
