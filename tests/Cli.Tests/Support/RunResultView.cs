using System.Text.Json;

namespace Chorus.Cli.Tests.Support;

/// <summary>What the tests look at in a result.json.</summary>
public sealed record RunResultView(JsonElement Root)
{
    public IEnumerable<JsonElement> Rounds => Root.GetProperty("rounds").EnumerateArray();

    public string[] Releases => [.. Rounds.Select(r => r.GetProperty("release_sha256").GetString()!)];

    public int[] ClientsCounted => [.. Rounds.Select(r => r.GetProperty("clients_counted").GetInt32())];

    public double Epsilon => Root.GetProperty("privacy").GetProperty("epsilon").GetDouble();

    public static RunResultView Of(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "result.json")));
        return new RunResultView(document.RootElement.Clone());
    }
}
