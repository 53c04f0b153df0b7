using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;

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

    /// <summary>Held by the process that works on the run.</summary>
    private string Lock => In("run.lock");

    public string Journal => In("journal.db");

    public string Synthetic => In("synthetic.json");

    public string Samples => In("samples.json");

    /// <summary>Written last of all.</summary>
    public string Result => In("result.json");

    /// <summary>Whether a run ended here with its result; its report is there too.</summary>
    public bool IsFinished => File.Exists(Result);

    public string Report => In("report.html");

    /// <summary>What whoever pauses or stops the run from its page must bear; only its owner can read it.</summary>
    public string PageToken => In("page.token");

    public string Candidates(int round) => In("rounds", Number(round), "candidates.json");

    public string CandidateEmbeddings(int round) => In("rounds", Number(round), "candidates.bin");

    public string Release(int round) => In("rounds", Number(round), "release.json");

    public string Pairs(int round) => In("rounds", Number(round), "pairs.json");

    public string Metrics(int round) => In("rounds", Number(round), "metrics.json");

    /// <summary>Candidates that were chosen as parents of the next round's, by index.</summary>
    public string Parents(int round) => In("rounds", Number(round), "parents.json");

    public string Adapter(int round) => In("policy", Number(round));

    /// <summary>Weights of the downstream model after a round, float32 in little-endian order; of round 0: the floor's.</summary>
    public string Model(int round) => In("model", $"{Number(round)}.bin");

    /// <summary>What the server remembers beside the weights of a round.</summary>
    public string Momentum(int round) => In("model", $"{Number(round)}.momentum.bin");

    /// <summary>The array that a round distributes to its nodes.</summary>
    public string Array(Method method, int round) => method.TrainsAtClients() ? Model(round - 1) : CandidateEmbeddings(round);

    private string Secret => In("noise.key");

    /// <summary>
    /// The secret that a run's noise follows from where it is needed again in later rounds: made at first use, for this user alone.
    /// Whoever has it can take the noise off.
    /// </summary>
    public byte[] NoiseSecret()
    {
        if (File.Exists(Secret))
            return File.ReadAllBytes(Secret);
        var secret = RandomNumberGenerator.GetBytes(SeededRandomSource.SecretBytes);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new FileStream(Secret, options))
        {
            stream.Write(secret);
            stream.Flush(flushToDisk: true);
        }

        return secret;
    }

    /// <summary>Once a run is over nobody needs the secret, and nobody should have it.</summary>
    public void ForgetNoise() => File.Delete(Secret);

    // What .NET says of a file that another process has locked: EWOULDBLOCK, ERROR_SHARING_VIOLATION.
    private const int HeldOnLinux = 11;
    private const int HeldOnMac = 35;
    private const int HeldOnWindows = unchecked((int)0x80070020);

    /// <summary>Holds the folder until disposed, or until the process ends, however: two coordinators of one run would each be right.</summary>
    /// <exception cref="SettingsException">Another process holds it.</exception>
    public IDisposable Hold()
    {
        try
        {
            return new FileStream(Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult is HeldOnLinux or HeldOnMac or HeldOnWindows)
        {
            throw new SettingsException($"another process is working on the run in {Path}: wait until it ends, or end it");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{Path} cannot be written: {e.Message}");
        }
    }

    /// <summary>Whether a file may be what a start that was cut short left behind, before the folder held a run.</summary>
    internal bool IsOfStart(string file) => file == Lock || file == Instance || (file.EndsWith(".tmp", StringComparison.Ordinal) && System.IO.Path.GetDirectoryName(file) == Path);

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
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{file} cannot be written: {e.Message.TrimEnd('.')}; is its disk full or read-only? Nothing was lost: put that right and go on with --resume", e);
        }
        finally
        {
            if (File.Exists(temporary)) // a disk that is read-only has its own word about deleting what is not there
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
