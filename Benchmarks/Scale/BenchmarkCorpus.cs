using System.Text;
using Chorus.Simulation.Data;

namespace Chorus.Benchmarks.Scale;

/// <summary>A data folder of any number of clients, each with the same number of texts of drawn words: its content does not matter, its size does.</summary>
internal static class BenchmarkCorpus
{
    private const int WordsAText = 12;

    private static readonly string[] Words = [.. Enumerable.Range(0, 4000).Select(i => $"{"bcdfghklmnprstvz"[i % 16]}{"aeiou"[i / 16 % 5]}{"bdgklmnrst"[i / 80 % 10]}{"aeiou"[i / 800 % 5]}n")];

    public static void Write(string folder, int clients, int textsAClient)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(1);
        using (var to = new StreamWriter(Path.Combine(folder, FederatedCorpus.ClientsFile), append: false, new UTF8Encoding(false), 1 << 20))
        {
            to.Write('{');
            for (var client = 0; client < clients; client++)
            {
                to.Write(client == 0 ? "\n" : ",\n");
                to.Write($"\"client-{client:00000000}\": [{string.Join(", ", Enumerable.Range(0, textsAClient).Select(_ => $"\"{Text(random)}\""))}]");
            }

            to.Write("\n}\n");
        }

        var list = $"[{string.Join(",\n", Enumerable.Range(0, 200).Select(_ => $"\"{Text(random)}\""))}]";
        File.WriteAllText(Path.Combine(folder, FederatedCorpus.EvalFile), list);
        File.WriteAllText(Path.Combine(folder, FederatedCorpus.InitialFile), list);
    }

    public static IEnumerable<string> Texts(ulong seed, int count)
    {
        var random = new Random((int)(seed % int.MaxValue));
        return Enumerable.Range(0, count).Select(_ => Text(random));
    }

    private static string Text(Random random) =>
        string.Join(' ', Enumerable.Range(0, WordsAText).Select(_ => Words[random.Next(Words.Length)]));
}
