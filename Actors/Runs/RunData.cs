using System.Security.Cryptography;
using System.Text;
using Chorus.Gpu.Checkpoints;
using Chorus.Simulation.Data;

namespace Chorus.Actors.Runs;

/// <summary>Where a run's data is: a folder, or a corpus synthesised once into the user's cache.</summary>
public static class RunData
{
    /// <param name="directory">LargeFedBench's three files; empty to synthesise.</param>
    /// <param name="synthesis">What to synthesise where the folder is empty.</param>
    public static FederatedCorpus Open(string directory, SynthesisSettings? synthesis)
    {
        if (directory.Length > 0)
            return FederatedCorpus.Open(directory);
        ArgumentNullException.ThrowIfNull(synthesis);
        return FederatedCorpus.Open(Synthesise(synthesis));
    }

    /// <summary>Makes sure that the corpus is in the cache and returns its folder.</summary>
    public static string Synthesise(SynthesisSettings synthesis, IProgress<int>? clientsWritten = null, CancellationToken ct = default)
    {
        var folder = Path.Combine(ContentCache.OfUser().Folder, "data", CorpusSynthesizer.CacheKey(synthesis));
        CorpusSynthesizer.Write(synthesis, folder, clientsWritten, ct);
        return folder;
    }

    /// <summary>SHA-256 of a text's UTF-8, lower-case hexadecimal.</summary>
    public static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
