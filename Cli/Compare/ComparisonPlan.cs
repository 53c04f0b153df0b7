using System.Globalization;
using Akka.Configuration;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;

namespace Chorus.Cli.Compare;

/// <summary>One run of a comparison, and where it lies.</summary>
/// <param name="Epsilon">The budget; null for a method that spends none.</param>
/// <param name="Folder">The run's own.</param>
/// <param name="Settings">What it is to be run with.</param>
internal sealed record PlannedCell(Method Method, double? Epsilon, ulong Seed, string Folder, RunSettings Settings)
{
    /// <summary>What <c>chorus simulate</c> is told.</summary>
    /// <param name="runFile">The comparison's own run file.</param>
    /// <param name="folder">Where the run is to be.</param>
    public IReadOnlyList<string> Arguments(string runFile, string folder) =>
    [
        "simulate", "--run", runFile, "--seed", Seed.ToString(CultureInfo.InvariantCulture), .. Overrides(Method, Epsilon).SelectMany(o => new[] { "--set", $"{o.Key}={o.Value}" }),
        "--out", folder,
    ];

    /// <summary>The settings in which a cell differs from the comparison's run file, seed apart.</summary>
    internal static IEnumerable<(string Key, string Value)> Overrides(Method method, double? epsilon)
    {
        yield return ("method", method.NameOf());
        if (epsilon is { } e)
            yield return ("privacy.epsilon", double.IsPositiveInfinity(e) ? "inf" : e.ToString("R", CultureInfo.InvariantCulture));
        yield return ("evaluation.ceiling", "off"); // the ceiling of a seed is measured once, by its run of 'private'
    }
}

/// <summary>Which runs a comparison consists of: each method under each budget with each seed, and the two ends of the scale once a seed.</summary>
/// <param name="RunFile">The comparison's own run file, in its folder: every setting resolved.</param>
/// <param name="Cells">In the order in which they run.</param>
internal sealed record ComparisonPlan(string Folder, string RunFile, IReadOnlyList<PlannedCell> Cells)
{
    private const string RunFileName = "run.conf";

    /// <summary>Settings that a run fills in as it begins: what a checkpoint hashes to, say.</summary>
    private static readonly string[] Resolved =
        ["data.directory", "encoder.checkpoint", "encoder.dimension", "encoder.sha256", "policy.checkpoint", "policy.sha256", "downstream.checkpoint", "downstream.sha256"];

    /// <param name="settings">The run file's, with what the command line sets.</param>
    /// <param name="methods">In the order in which they are shown; public and private are there anyway.</param>
    /// <param name="epsilons">Budgets; infinity is no noise.</param>
    /// <param name="seeds">Of the runs.</param>
    /// <param name="folder">The comparison's folder.</param>
    public static ComparisonPlan Of(
        RunSettings settings, IReadOnlyList<Method> methods, IReadOnlyList<double> epsilons, IReadOnlyList<ulong> seeds, string folder)
    {
        var full = Path.GetFullPath(folder);
        var cells = seeds.SelectMany(seed => new[] { Method.Public, Method.Private }.Concat(methods).Distinct()
            .SelectMany(method => (method.SpendsPrivacy() ? epsilons.Select(e => (double?)e) : [null])
                .Select(epsilon => CellOf(settings, method, epsilon, seed, full))));
        return new ComparisonPlan(full, Path.Combine(full, RunFileName), [.. cells]);
    }

    /// <summary>Claims the folder: its run file is this comparison's, or is written now.</summary>
    /// <exception cref="SettingsException">The folder holds something else, a comparison of other settings, or a cell that was run with others.</exception>
    public void Claim(RunSettings settings)
    {
        if (File.Exists(RunFile))
        {
            if (Difference(RunSettings.Load(RunFile).Hocon, settings.Hocon) is { } key)
                throw new SettingsException($"{Folder} holds a comparison with another chorus.{key}: compare with its own settings, or choose another --out");
        }
        else if (Directory.Exists(Folder) && Directory.EnumerateFileSystemEntries(Folder).Any())
        {
            throw new SettingsException($"{Folder} is not empty and holds no comparison: choose another --out");
        }

        foreach (var cell in Cells.Where(c => File.Exists(new RunFolder(c.Folder).Settings)))
        {
            if (Difference(RunSettings.Load(new RunFolder(cell.Folder).Settings).Hocon, cell.Settings.Hocon) is { } key)
                throw new SettingsException($"{cell.Folder} was run with another chorus.{key}: delete it, or choose another --out");
        }

        try
        {
            RunFolder.WriteText(RunFile, settings.Hocon);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{Folder} cannot be written: {e.Message}");
        }
    }

    private static PlannedCell CellOf(RunSettings settings, Method method, double? epsilon, ulong seed, string folder)
    {
        var name = string.Create(
            CultureInfo.InvariantCulture, $"{method.NameOf()}{(epsilon is { } e ? $"-eps{(double.IsPositiveInfinity(e) ? "inf" : e.ToString("R", CultureInfo.InvariantCulture))}" : "")}-seed{seed}");
        return new PlannedCell(
            method, epsilon, seed, Path.Combine(folder, "cells", name),
            settings.With([("seed", seed.ToString(CultureInfo.InvariantCulture)), .. PlannedCell.Overrides(method, epsilon)]));
    }

    /// <summary>A key with another value in each, or null: both are of runs that give the same.</summary>
    private static string? Difference(string one, string other)
    {
        var (a, b) = (ValuesOf(one), ValuesOf(other));
        return a.Keys.Union(b.Keys).Except(Resolved).FirstOrDefault(key => a.GetValueOrDefault(key) != b.GetValueOrDefault(key));
    }

    private static IReadOnlyDictionary<string, string> ValuesOf(string hocon) =>
        new SettingsReader(HoconFiles.Reference, ("run.conf", ConfigurationFactory.ParseString(hocon))).Values;
}
