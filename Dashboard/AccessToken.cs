using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Dashboard;

/// <summary>The secret that lets its bearer read the page from afar, and pause and stop the run. It is never written to a log.</summary>
public sealed class AccessToken
{
    /// <summary>Of random bytes; base64url makes them 32 characters.</summary>
    private const int Bytes = 24;

    private readonly byte[] _hash;

    private AccessToken(string value) => (Value, _hash) = (value, SHA256.HashData(Encoding.UTF8.GetBytes(value)));

    public string Value { get; }

    /// <summary>A fresh one.</summary>
    public static AccessToken Fresh() => new(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes)));

    /// <summary>
    /// The one in a file that only its owner can read, made where there is none: a run that is resumed keeps it, and with it
    /// the pages that are open.
    /// </summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static AccessToken OfFile(string file)
    {
        if (File.Exists(file) && File.ReadAllText(file).Trim() is { Length: 4 * Bytes / 3 } kept && Base64Url.IsValid(kept))
            return new AccessToken(kept);
        var token = Fresh();
        File.Delete(file);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var stream = new FileStream(file, options);
        stream.Write(Encoding.UTF8.GetBytes(token.Value));
        return token;
    }

    /// <summary>Whether an Authorization header bears it. Takes as long for a wrong token as for the right one.</summary>
    public bool IsBorneBy(string? authorization) =>
        authorization is not null
        && authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(authorization["Bearer ".Length..].Trim())), _hash);

    /// <summary>Not the secret.</summary>
    public override string ToString() => "a token";
}
