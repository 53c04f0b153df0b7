using System.Globalization;
using Chorus.Actors.Settings;

namespace Chorus.Cli;

/// <summary>A setting as the command line gives it.</summary>
internal static class KeyValue
{
    /// <summary>Reads KEY=VALUE; the key may have its root before it or not.</summary>
    /// <exception cref="SettingsException">There is no '='.</exception>
    public static (string Key, string Value) Parse(string setting)
    {
        var at = setting.IndexOf('=', StringComparison.Ordinal);
        if (at <= 0)
            throw new SettingsException($"--set takes KEY=VALUE, got \"{setting}\"");
        var key = setting[..at].Trim();
        return (key.StartsWith("chorus.", StringComparison.Ordinal) ? key["chorus.".Length..] : key, setting[(at + 1)..].Trim());
    }

    /// <summary>A line of HOCON that sets it.</summary>
    public static string ToHocon(string key, object value)
    {
        var text = Convert.ToString(value, CultureInfo.InvariantCulture)!.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        return string.Create(CultureInfo.InvariantCulture, $"chorus.{key} = \"{text}\"\n");
    }
}
