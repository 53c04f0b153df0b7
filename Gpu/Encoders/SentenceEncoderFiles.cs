using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Gpu.Encoders;

/// <summary>The identity of a sentence encoder's checkpoint: a hash of all files that decide what it computes.</summary>
public static class SentenceEncoderFiles
{
    private static readonly string[] Names =
    [
        "added_tokens.json", "config.json", "config_sentence_transformers.json", "merges.txt", "model.safetensors.index.json", "modules.json",
        "sentence_bert_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt",
    ];

    /// <summary>SHA-256 over the names, lengths and bytes of the files, lower-case hexadecimal. A README, or weights in other formats, do not count.</summary>
    /// <param name="directory">A folder in sentence-transformers layout, or a plain BERT checkpoint.</param>
    /// <exception cref="InvalidDataException">modules.json is damaged, or names a part that is not supported.</exception>
    public static string Sha256(string directory)
    {
        var files = SentencePipeline.Read(directory).Folders.SelectMany(Read).Select(file => (Name: Path.GetRelativePath(directory, file).Replace('\\', '/'), Path: file))
            .DistinctBy(file => file.Name, StringComparer.Ordinal);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        foreach (var (name, path) in files.OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            using var stream = File.OpenRead(path);
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name}\n{stream.Length}\n")));
            for (int read; (read = stream.Read(buffer)) > 0;)
                hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static IEnumerable<string> Read(string folder) => Directory.Exists(folder)
        ? [.. Names.Select(name => Path.Combine(folder, name)).Where(File.Exists), .. Directory.EnumerateFiles(folder, "model*.safetensors")]
        : [];
}
