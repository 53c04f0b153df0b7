using System.Text.Json;

namespace Chorus.Actors.Tests.Support;

/// <summary>A data folder small enough to count by hand. One client has no text; every private text holds the canary.</summary>
internal static class TinyCorpus
{
    public const string Canary = "zyxwvcanary";

    public static string Write(string directory, int clients = 23, string canary = Canary)
    {
        Directory.CreateDirectory(directory);
        var subjects = new[] { "rivers", "schools", "farms", "ports", "trains", "clinics", "bridges" };
        string Text(int i, int j) => $"We speak today about {subjects[(i + j) % subjects.Length]} and {subjects[(i * 3) % subjects.Length]} number {j}";
        var train = Enumerable.Range(0, clients).ToDictionary(
            i => $"client-{i:000}",
            i => Enumerable.Range(0, i % 4).Select(j => $"{Text(i, j)} {canary}").ToArray());
        File.WriteAllText(Path.Combine(directory, "train_clients.json"), JsonSerializer.Serialize(train));
        File.WriteAllText(Path.Combine(directory, "eval.json"), JsonSerializer.Serialize(Enumerable.Range(0, 12).Select(i => Text(i, 1))));
        File.WriteAllText(Path.Combine(directory, "initial_set.json"), JsonSerializer.Serialize(Enumerable.Range(0, 30).Select(i => Text(i, 2))));
        return directory;
    }
}
