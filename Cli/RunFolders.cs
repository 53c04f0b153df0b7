using System.Globalization;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;

namespace Chorus.Cli;

/// <summary>Where runs lie when nobody says otherwise: below runs/ in the current folder.</summary>
internal static class RunFolders
{
    private const string Root = "runs";

    public static string Fresh(string name) =>
        Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"{DateTime.Now:yyyyMMdd-HHmmss}-{name}"));

    public static string NewestUnfinished()
    {
        var folder = Directory.Exists(Root)
            ? Directory.GetDirectories(Root)
                .Where(d => File.Exists(new RunFolder(d).Settings) && !new RunFolder(d).IsFinished)
                .MaxBy(d => File.GetLastWriteTimeUtc(new RunFolder(d).Settings))
            : null;
        return folder ?? throw new SettingsException($"there is no unfinished run below {Path.GetFullPath(Root)}: name one with --out DIR");
    }
}
