using System.Text.Json;
using System.Text.Json.Nodes;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Cli.Commands;

/// <summary>Many questions at once: each row comes back with <c>pld</c>, <c>pld_lower</c>, <c>rdp</c> and <c>exact</c>.</summary>
internal static class AccountTable
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="file">A JSON object with <c>rows</c>, an array of {q, noise_multiplier, steps, delta}; other fields are kept.</param>
    /// <exception cref="SettingsException">The file is no such table; the message names the row and the field.</exception>
    public static string Answer(string file, Adjacency adjacency)
    {
        JsonNode? document;
        try
        {
            document = JsonNode.Parse(File.ReadAllText(file));
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{file} cannot be read as a table: {e.Message}");
        }

        if (document is not JsonObject || document["rows"] is not JsonArray rows)
            throw new SettingsException($"{file} must be a JSON object with an array \"rows\"");
        foreach (var (index, row) in rows.Index())
        {
            try
            {
                Fill(row as JsonObject ?? throw new SettingsException("it must be an object"), adjacency);
            }
            catch (Exception e) when (e is SettingsException or ArgumentException or InvalidOperationException or FormatException)
            {
                throw new SettingsException($"{file}, row {index + 1}: {e.Message}");
            }
        }

        return document.ToJsonString(Indented);
    }

    private static void Fill(JsonObject row, Adjacency adjacency)
    {
        PrivacyEvent[] events = [new(Mechanism.Gaussian, Number(row, "noise_multiplier"), new PoissonSampling(Number(row, "q")), Steps(row))];
        var delta = Number(row, "delta");
        var pld = PldAccountant.Epsilon(events, adjacency, delta);
        row["pld"] = pld.Upper;
        row["pld_lower"] = pld.Lower;
        row["rdp"] = RdpAccountant.Epsilon(events, adjacency, delta).Epsilon;
        row["exact"] = PrivacyAccountant.Exact(events, adjacency, delta);
    }

    private static int Steps(JsonObject row)
    {
        var steps = Number(row, "steps");
        return steps == Math.Floor(steps) && steps is >= 1 and <= int.MaxValue ? (int)steps : throw new SettingsException($"steps must be a whole number of at least 1, got {steps}");
    }

    private static double Number(JsonObject row, string field) =>
        row[field] is JsonValue value && value.TryGetValue(out double number)
            ? number
            : throw new SettingsException($"{field} must be a number; a row has q, noise_multiplier, steps and delta");
}
