using System.Security.Cryptography;
using System.Text;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;

namespace Chorus.Actors.Runs;

/// <summary>Where a run's data is: a folder, or a corpus synthesised once into the user's cache.</summary>
public static class RunData
{
    /// <summary>Clients' texts are mapped and indexed, and their embeddings kept, on disk where a client file is larger than this: with embeddings it would take ten times as much memory.</summary>
    private const long LargestInMemory = 64 << 20;

    /// <summary>Opens a run's data; the caller disposes it.</summary>
    public static FederatedCorpus Open(DataSettings data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var folder = data.Directory.Length > 0 ? data.Directory : Synthesise(data.Synthesis!);
        return FederatedCorpus.Open(folder, OnDisk(data.Store, Path.Combine(folder, FederatedCorpus.ClientsFile)) ? ClientsFolder : null);
    }

    /// <summary>Where the clients' embeddings are kept, where their texts are mapped and the encoder's bits are known by a name; else null.</summary>
    public static EmbeddingFile? EmbeddingsOf(FederatedCorpus corpus, ISentenceEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(encoder);
        return corpus.Clients is ClientStore store && encoder.Identity is { } identity ? EmbeddingFile.Open(store, identity, encoder.Dimension, ClientsFolder) : null;
    }

    /// <summary>Makes sure that the corpus is in the cache and returns its folder.</summary>
    public static string Synthesise(SynthesisSettings synthesis, IProgress<int>? clientsWritten = null, CancellationToken ct = default)
    {
        var folder = Path.Combine(ContentCache.OfUser().Folder, "data", CorpusSynthesizer.CacheKey(synthesis));
        CorpusSynthesizer.Write(synthesis, folder, clientsWritten, ct);
        return folder;
    }

    private static string ClientsFolder => Path.Combine(ContentCache.OfUser().Folder, "clients");

    private static bool OnDisk(ClientStorage store, string clientsFile) =>
        store == ClientStorage.Disk || (store == ClientStorage.Auto && new FileInfo(clientsFile) is { Exists: true, Length: > LargestInMemory });

    /// <summary>SHA-256 of a text's UTF-8, lower-case hexadecimal.</summary>
    public static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
