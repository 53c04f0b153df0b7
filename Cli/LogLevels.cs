using Chorus.Actors.Settings;

namespace Chorus.Cli;

/// <summary>How much a node says of its inner life: the environment variable CHORUS_LOG.</summary>
internal static class LogLevels
{
    private static readonly string[] Known = ["DEBUG", "INFO", "WARNING", "ERROR", "OFF"];

    public static string OfUser()
    {
        var level = Environment.GetEnvironmentVariable("CHORUS_LOG") is { Length: > 0 } given ? given.ToUpperInvariant() : "WARNING";
        return Known.Contains(level) ? level : throw new SettingsException($"CHORUS_LOG must be one of {string.Join(", ", Known)}, got \"{level}\"");
    }
}
