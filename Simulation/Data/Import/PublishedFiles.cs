using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data.Import;

/// <summary>LargeFedBench as processed and published with POPri: <c>NAME_train.json</c>, <c>NAME_eval.json</c>, <c>initial_set.json</c>.</summary>
/// <remarks>
/// The first is an object of clients, as <c>train_clients.json</c>. The second is a list of texts, or an object with one list in it.
/// Texts are taken as they are: they are cut to 64 of Llama's tokens already.
/// </remarks>
public static class PublishedFiles
{
    private const string TrainEnding = "_train.json", EvalEnding = "_eval.json";

    /// <summary>Names of the data sets in a folder; none where it holds other things.</summary>
    public static IReadOnlyList<string> Names(string directory) => !Directory.Exists(directory) ? [] :
        [.. Directory.EnumerateFiles(directory, $"*{TrainEnding}").Select(f => Path.GetFileName(f)[..^TrainEnding.Length])
            .Where(n => File.Exists(Path.Combine(directory, n + EvalEnding))).Order(StringComparer.Ordinal)];

    /// <summary>Makes a data folder of one of the data sets.</summary>
    /// <param name="directory">The published files.</param>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="initial">The public texts; null takes the folder's <c>initial_set.json</c>.</param>
    /// <param name="output">The folder to make.</param>
    /// <param name="clientsWritten">Told the number of clients written, now and then.</param>
    /// <param name="ct">Ends the work; nothing is left behind.</param>
    /// <returns>Clients, their texts, held-out texts and public texts written.</returns>
    /// <exception cref="DataFormatException">A file is missing or not as above, or too few texts come out.</exception>
    public static (int Clients, long Texts, int EvalTexts, int InitialTexts) Import(
        string directory, string name, IReadOnlyList<string>? initial, string output, IProgress<int>? clientsWritten = null, CancellationToken ct = default)
    {
        string full = CorpusFolder.RequireNew(output);
        string evalFile = Path.Combine(directory, name + EvalEnding);
        IReadOnlyList<string> eval = ReadEval(evalFile);
        if (eval.Count < FederatedCorpus.MinimumTexts)
            throw new DataFormatException(evalFile, null, $"at least {FederatedCorpus.MinimumTexts} texts", $"{eval.Count}");
        initial ??= TextListFile.Read(Path.Combine(directory, FederatedCorpus.InitialFile), FederatedCorpus.MinimumTexts).Texts;
        using ClientFile clients = ClientFile.Open(Path.Combine(directory, name + TrainEnding));
        using var folder = new CorpusFolder(full);
        using (var writer = new CorpusFolder.ClientsWriter(folder.In(FederatedCorpus.ClientsFile)))
        {
            for (int client = 0; client < clients.Count; client++)
            {
                ct.ThrowIfCancellationRequested();
                writer.Write(clients.IdOf(client), clients.ReadTexts(client));
                if (client % 1000 == 999 || client == clients.Count - 1) clientsWritten?.Report(client + 1);
            }
        }
        CorpusFolder.WriteTexts(folder.In(FederatedCorpus.EvalFile), eval);
        CorpusFolder.WriteTexts(folder.In(FederatedCorpus.InitialFile), initial);
        folder.Complete();
        return (clients.Count, clients.TextCount, eval.Count, initial.Count);
    }

    /// <summary>A list, or an object with one list in it.</summary>
    private static IReadOnlyList<string> ReadEval(string path)
    {
        using (SafeFileHandle file = File.OpenHandle(path))
        using (var tokens = new JsonTokenStream(file, path))
        {
            tokens.Read();
            if (tokens.Type != JsonTokenType.StartObject) return TextListFile.Read(path).Texts;
        }
        using ClientFile lists = ClientFile.Open(path);
        return [.. Enumerable.Range(0, lists.Count).SelectMany(list => lists.ReadTexts(list))];
    }
}
