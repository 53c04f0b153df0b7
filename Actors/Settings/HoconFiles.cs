using Akka.Configuration;

namespace Chorus.Actors.Settings;

/// <summary>The project's HOCON files, which travel inside the assembly, and a user's.</summary>
public static class HoconFiles
{
    /// <summary>Every setting of a run with its default.</summary>
    public static Config Reference { get; } = Embedded("reference.conf");

    /// <summary>Names of the run files that ship with Chorus, such as <c>quickstart</c>.</summary>
    public static IReadOnlyList<string> ShippedRuns { get; } =
        [.. typeof(HoconFiles).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith("Hocon/runs/", StringComparison.Ordinal))
            .Select(n => Path.GetFileNameWithoutExtension(n))
            .Order(StringComparer.Ordinal)];

    /// <summary>A file of the Hocon folder, by its path there.</summary>
    public static Config Embedded(string path) => Parse(path, Text(path));

    /// <summary>The text of a file of the Hocon folder, by its path there.</summary>
    public static string Text(string path)
    {
        using var stream = typeof(HoconFiles).Assembly.GetManifestResourceStream($"Hocon/{path}")
            ?? throw new SettingsException($"Chorus ships no Hocon/{path}");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>A run file: a path, or the name of one that ships with Chorus.</summary>
    public static (string Name, Config Config) Run(string pathOrName)
    {
        if (File.Exists(pathOrName))
            return (Path.GetFileName(pathOrName), Read(pathOrName));
        return ShippedRuns.Contains(pathOrName)
            ? ($"{pathOrName}.conf", Embedded($"runs/{pathOrName}.conf"))
            : throw new SettingsException($"there is no run file {pathOrName}; the runs that ship with Chorus are {string.Join(", ", ShippedRuns)}");
    }

    public static Config Read(string file)
    {
        try
        {
            return Parse(file, File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"the settings file {file} cannot be read: {e.Message}");
        }
    }

    private static Config Parse(string name, string text)
    {
        if (HoconBrackets.Mismatch(text) is { } mismatch)
            throw new SettingsException($"{name} is not valid HOCON: {mismatch}");
        try
        {
            return ConfigurationFactory.ParseString(text);
        }
        catch (Exception e)
        {
            throw new SettingsException($"{name} is not valid HOCON: {e.Message}");
        }
    }
}
