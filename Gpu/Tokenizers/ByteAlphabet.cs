using System.Text;

namespace Chorus.Gpu.Tokenizers;

/// <summary>GPT-2's alphabet: each of the 256 bytes as one printable character, so that tokens are strings without spaces.</summary>
/// <remarks>Printable bytes of Latin-1 stand for themselves; the other 68 take the characters from U+0100 on, in order.</remarks>
internal static class ByteAlphabet
{
    private static readonly char[] ToChar = Build();
    private static readonly Dictionary<char, byte> ToByte = Enumerable.Range(0, 256).ToDictionary(b => ToChar[b], b => (byte)b);

    /// <summary>The bytes in the order of their characters, which is the order of their ids in GPT-2's vocabulary.</summary>
    internal static IReadOnlyList<byte> Ordered { get; } = [.. Enumerable.Range(0, 256).Select(b => (byte)b).OrderBy(b => ToChar[b])];

    internal static string Encode(ReadOnlySpan<byte> bytes)
    {
        var text = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            text[i] = ToChar[bytes[i]];
        return new string(text);
    }

    /// <summary>The bytes that a token stands for; null if it holds a character outside the alphabet.</summary>
    internal static byte[]? TryDecode(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (!ToByte.TryGetValue(token[i], out bytes[i]))
                return null;
        }
        return bytes;
    }

    /// <summary>The text as UTF-16 without lone surrogates: each becomes U+FFFD, for it has no UTF-8 form.</summary>
    internal static string WellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                i++;
            else
                return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        }
        return text;
    }

    private static char[] Build()
    {
        var map = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
            map[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b : (char)next++;
        return map;
    }
}
