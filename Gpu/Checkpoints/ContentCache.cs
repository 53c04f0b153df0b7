using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Gpu.Checkpoints;

/// <summary>A user's folder of things that were expensive to make, each kept under a hash of all that it was made from.</summary>
/// <remarks>
/// An entry is a folder that appears whole or not at all and never changes; deleting entries, or all of them, is always safe.
/// Processes may share a cache: two that make one entry at once both get the first one's.
/// </remarks>
public sealed class ContentCache
{
    /// <param name="folder">Where the entries lie; made on first use.</param>
    public ContentCache(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        Folder = Path.GetFullPath(folder);
    }

    public string Folder { get; }

    /// <summary>The user's cache: CHORUS_CACHE, else chorus in XDG_CACHE_HOME, else ~/.cache/chorus.</summary>
    public static ContentCache OfUser() => OfUser(
        Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify));

    internal static ContentCache OfUser(Func<string, string?> environment, string home)
    {
        if (environment("CHORUS_CACHE") is { Length: > 0 } own)
            return new ContentCache(own);
        // By the XDG rules a relative path there counts as unset.
        if (environment("XDG_CACHE_HOME") is { Length: > 0 } xdg && Path.IsPathRooted(xdg))
            return new ContentCache(Path.Combine(xdg, "chorus"));
        return home.Length > 0
            ? new ContentCache(Path.Combine(home, ".cache", "chorus"))
            : throw new InvalidOperationException("this user has no home folder to keep a cache in; set CHORUS_CACHE to a folder");
    }

    /// <summary>A key from all that an entry depends on (texts, settings, versions): SHA-256 of the parts with their lengths, in hex.</summary>
    public static string KeyOf(params IEnumerable<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            // With the length before each part, ("ab", "c") and ("a", "bc") differ.
            hash.AppendData(Encoding.ASCII.GetBytes(bytes.Length.ToString(CultureInfo.InvariantCulture) + ":"));
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The folder of the entry; if there is none, <paramref name="create"/> fills a temporary folder, which is then renamed.</summary>
    /// <param name="key">1 to 128 of the characters a-z, 0-9, '.', '_' and '-', not beginning with '.'.</param>
    /// <param name="create">Writes the entry into the folder it is given; if it throws, nothing is kept.</param>
    /// <exception cref="ArgumentException">The key has another form.</exception>
    public string GetOrCreate(string key, Action<string> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        if (key.Length is 0 or > 128 || key[0] == '.' || key.Any(c => !(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-')))
            throw new ArgumentException($"key must be 1 to 128 of a-z, 0-9, '.', '_' and '-', not beginning with '.', got \"{key}\"", nameof(key));
        var entry = Path.Combine(Folder, key);
        if (Directory.Exists(entry))
            return entry;
        var temporary = Path.Combine(Folder, $".{key}.{Guid.NewGuid():N}");
        Directory.CreateDirectory(temporary);
        try
        {
            create(temporary);
            try
            {
                Directory.Move(temporary, entry);
            }
            catch (IOException) when (Directory.Exists(entry))
            {
                // Another process was faster. Its entry has the same key, so the same content.
            }
            return entry;
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }
}
