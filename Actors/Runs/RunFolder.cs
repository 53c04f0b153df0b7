using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Chorus.Actors.Runs;

/// <summary>
/// One run's folder. Every file is written to a temporary name and renamed, so whoever finds a file finds it whole.
/// </summary>
public sealed class RunFolder(string path)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = false,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    public string Settings => In("run.conf");

    /// <summary>Tells this run from others with the same settings and data.</summary>
    public string Instance => In("run.id");

    public string Journal => In("journal.db");

    public string Synthetic => In("synthetic.json");

    public string Samples => In("samples.json");

    public string Result => In("result.json");

    public string Report => In("report.html");

    public string Candidates(int round) => In("rounds", Number(round), "candidates.json");

    public string CandidateEmbeddings(int round) => In("rounds", Number(round), "candidates.bin");

    public string Release(int round) => In("rounds", Number(round), "release.json");

    public string Pairs(int round) => In("rounds", Number(round), "pairs.json");

    public string Metrics(int round) => In("rounds", Number(round), "metrics.json");

    public string Adapter(int round) => In("policy", Number(round));

    /// <summary>Writes a file whole or not at all.</summary>
    public static void Write(string file, ReadOnlySpan<byte> bytes)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        var temporary = $"{file}.{Guid.NewGuid():n}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(bytes);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, file, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    public static void WriteText(string file, string text) => Write(file, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes a value as JSON and returns the SHA-256 of the file's bytes.</summary>
    public static string WriteJson<T>(string file, T value)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(value, Json);
        Write(file, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    /// <exception cref="InvalidDataException">The file is not the JSON of a <typeparamref name="T"/>; the message names it.</exception>
    public static T ReadJson<T>(string file)
    {
        using var stream = File.OpenRead(file);
        try
        {
            return JsonSerializer.Deserialize<T>(stream, Json) ?? throw new InvalidDataException($"{file} is empty");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is damaged: {e.Message}", e);
        }
    }

    private static string Number(int round) => round.ToString("000", CultureInfo.InvariantCulture);

    private string In(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);
}
