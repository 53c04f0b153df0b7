using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Simulation.Data;

/// <summary>A data folder in LargeFedBench's layout: the clients' private texts, held-out texts and the public initial set.</summary>
/// <remarks>
/// <c>train_clients.json</c> {client id: [text, ...]}; <c>eval.json</c> and <c>initial_set.json</c> lists of texts
/// (LargeFedBench's two corpora as released with POPri, arXiv:2504.16438). Other files in the folder are left alone.
/// </remarks>
public sealed class FederatedCorpus : IDisposable
{
    public const string ClientsFile = "train_clients.json";
    public const string EvalFile = "eval.json";
    public const string InitialFile = "initial_set.json";

    /// <summary>The fewest held-out and the fewest public texts with which metrics and few-shot prompts mean anything.</summary>
    public const int MinimumTexts = 10;

    private FederatedCorpus(string directory, ClientTexts clients, TextListFile eval, TextListFile initial)
    {
        Directory = directory;
        Name = Path.GetFileName(directory);
        Clients = clients;
        Eval = eval.Texts;
        Initial = initial.Texts;
        string hashes = $"{clients.Sha256}  {ClientsFile}\n{eval.Sha256}  {EvalFile}\n{initial.Sha256}  {InitialFile}\n";
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hashes)));
    }

    /// <summary>The folder's own name, without the path.</summary>
    public string Name { get; }

    /// <summary>The folder, as a full path.</summary>
    public string Directory { get; }

    /// <summary>SHA-256 over the three files' hashes (the lines that <c>sha256sum</c> prints for them, in the order above).</summary>
    public string Sha256 { get; }

    public ClientTexts Clients { get; }

    /// <summary>Held-out private texts, of clients that are not among <see cref="Clients"/>.</summary>
    public ImmutableArray<string> Eval { get; }

    /// <summary>The public initial set.</summary>
    public ImmutableArray<string> Initial { get; }

    /// <summary>Opens and checks the folder; the caller disposes it.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="storeFolder">Where the clients' texts lie mapped and indexed (<see cref="ClientStore"/>); null: they are read from the JSON, whose index is held in memory.</param>
    /// <exception cref="DataFormatException">The folder or a file is missing or not as the format asks.</exception>
    public static FederatedCorpus Open(string directory, string? storeFolder = null)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        string three = $"a data folder with {ClientsFile}, {EvalFile} and {InitialFile}";
        if (!System.IO.Directory.Exists(full)) throw new DataFormatException(full, null, three, "no such folder");
        string[] missing = [.. new[] { ClientsFile, EvalFile, InitialFile }.Where(f => !File.Exists(Path.Combine(full, f)))];
        if (missing.Length > 0) throw new DataFormatException(full, null, three, $"no {string.Join(" and no ", missing)}");

        // The short files first: their mistakes are then told before the long pass.
        TextListFile eval = TextListFile.Read(Path.Combine(full, EvalFile), MinimumTexts);
        TextListFile initial = TextListFile.Read(Path.Combine(full, InitialFile), MinimumTexts);
        string clients = Path.Combine(full, ClientsFile);
        return new FederatedCorpus(full, storeFolder is null ? ClientFile.Open(clients) : ClientStore.Open(clients, storeFolder), eval, initial);
    }

    public void Dispose() => Clients.Dispose();
}
