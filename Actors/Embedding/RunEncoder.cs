using System.Globalization;
using Chorus.Actors.Settings;
using Chorus.Simulation.Embedding;

namespace Chorus.Actors.Embedding;

/// <summary>Makes a run's encoder: the same one for the coordinator, the policy and every client node.</summary>
public static class RunEncoder
{
    /// <param name="settings">Of a prepared run.</param>
    /// <param name="publicTexts">The public set, which hashed n-grams are fitted on.</param>
    /// <returns>An encoder; one of a checkpoint is <see cref="IDisposable"/>.</returns>
    /// <exception cref="SettingsException">The checkpoint is not there, not supported, or another one.</exception>
    public static ISentenceEncoder Open(EncoderSettings settings, IReadOnlyList<string> publicTexts)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Checkpoint.Length > 0)
            return CheckpointEncoder.Load(settings);
        return settings.Dimension is { } dimension
            ? HashedNgramEncoder.Fit(publicTexts, dimension)
            : throw new ArgumentException("hashed n-grams need a dimension");
    }

    /// <summary>
    /// Writes into the settings of a new run which checkpoint it begins with: its full path, dimension and hash. Whoever opens it
    /// later, on this machine or another, then sees that it is the same.
    /// </summary>
    /// <exception cref="SettingsException">The checkpoint is not there, not supported, or another one than the settings pin.</exception>
    public static RunSettings Resolve(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Encoder.Checkpoint.Length == 0)
            return settings;
        using var encoder = CheckpointEncoder.Load(settings.Encoder);
        return settings.With(
            ("encoder.checkpoint", settings.Encoder.Checkpoint), ("encoder.dimension", encoder.Dimension.ToString(CultureInfo.InvariantCulture)),
            ("encoder.sha256", encoder.Sha256));
    }
}
