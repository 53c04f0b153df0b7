using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data;

/// <summary>Reads a JSON file token by token through one small buffer, hashing it on the way.</summary>
/// <remarks>
/// Only the buffer is held: it grows to the longest single token and never beyond <see cref="LongestToken"/>. Strings are
/// decoded in full, so bytes that are no UTF-8 and lone surrogates are found here and not when a client first reads.
/// </remarks>
internal sealed class JsonTokenStream : IDisposable
{
    /// <summary>Bytes of the longest string accepted: far above any text, low enough that a broken file cannot eat the memory.</summary>
    public const int LongestToken = 64 << 20;

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _buffer = new byte[1 << 16];
    private char[] _chars = new char[1 << 12];
    private int _charCount;
    private int _start;            // first byte of the buffer that no token has used
    private int _end;              // first byte behind what was read
    private bool _final;
    private long _fileOffset;      // bytes read from the file
    private long _bufferOffset;    // where the buffer's first byte stands in the file
    private long _line = 1;        // line at _lineMark
    private int _lineMark;         // buffer position up to which newlines are counted
    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = 8 });

    /// <param name="file">An open file, read from its beginning; stays the caller's.</param>
    /// <param name="path">Its name, for messages.</param>
    public JsonTokenStream(SafeFileHandle file, string path)
    {
        _path = path;
        _file = file;
        Fill();
        ReadOnlySpan<byte> head = _buffer.AsSpan(0, _end);
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            throw new DataFormatException(path, 1, "JSON in UTF-8", "a UTF-16 byte order mark");
        if (head.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) _start = 3;
    }

    /// <summary>The token's kind; None before the first and after the last.</summary>
    public JsonTokenType Type { get; private set; }

    /// <summary>Byte in the file at which the token begins.</summary>
    public long TokenStart { get; private set; }

    /// <summary>Byte in the file behind the token.</summary>
    public long TokenEnd { get; private set; }

    /// <summary>Line of the token, from 1.</summary>
    public long Line { get; private set; } = 1;

    /// <summary>The decoded string or property name of the token, or its number as written.</summary>
    public string Text() => new(Characters);

    /// <summary>The same, until the next token is taken.</summary>
    public ReadOnlySpan<char> Characters => _chars.AsSpan(0, _charCount);

    /// <summary>Takes the next token; false at the end of a complete document.</summary>
    /// <exception cref="DataFormatException">What stands there is no JSON, or no UTF-8.</exception>
    public bool Read()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _final, _state);
            bool got;
            try
            {
                got = reader.Read();
            }
            catch (JsonException e)
            {
                throw Malformed(e, ref reader);
            }
            if (got)
            {
                int tokenAt = _start + (int)reader.TokenStartIndex;
                TokenStart = _bufferOffset + tokenAt;
                Line = LineAt(tokenAt);
                Type = reader.TokenType;
                if (Type is JsonTokenType.String or JsonTokenType.PropertyName) DecodeString(ref reader);
                else if (Type == JsonTokenType.Number) _charCount = Encoding.ASCII.GetChars(reader.ValueSpan, Room(reader.ValueSpan.Length));
                _start += (int)reader.BytesConsumed;
                TokenEnd = _bufferOffset + _start;
                _state = reader.CurrentState;
                return true;
            }
            _start += (int)reader.BytesConsumed;
            _state = reader.CurrentState;
            if (_final)
            {
                Type = JsonTokenType.None;
                return false;
            }
            MakeRoom();
            Fill();
        }
    }

    /// <summary>SHA-256 of the whole file as lower-case hexadecimal digits; to be called after the last token.</summary>
    public string FinishHash()
    {
        while (!_final)
        {
            _start = _end;
            MakeRoom();
            Fill();
        }
        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    /// <summary>A mistake at the current token; says the token's kind, never its text.</summary>
    public DataFormatException Unexpected(string expected) => new(_path, Line, expected, Type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "a truth value",
        JsonTokenType.Null => "null",
        JsonTokenType.None => "the end of the file",
        _ => Type.ToString(),
    });

    public void Dispose() => _hash.Dispose();

    private void DecodeString(ref Utf8JsonReader reader)
    {
        try
        {
            _charCount = reader.CopyString(Room(reader.ValueSpan.Length));
        }
        catch (InvalidOperationException e)
        {
            throw new DataFormatException(_path, Line, "text in valid UTF-8", "a string with broken bytes or half a surrogate pair", e);
        }
    }

    private char[] Room(int chars)
    {
        if (_chars.Length < chars) Array.Resize(ref _chars, Math.Max(chars, 2 * _chars.Length));
        return _chars;
    }

    private DataFormatException Malformed(JsonException e, ref Utf8JsonReader reader)
    {
        // The reader's own counter lives in its state, so it is right across buffers.
        long line = e.LineNumber + 1 ?? LineAt(_start + (int)reader.BytesConsumed);
        int tail = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return new DataFormatException(_path, line, "well-formed JSON", $"an error: {(tail < 0 ? e.Message : e.Message[..tail])}", e);
    }

    private long LineAt(int position)
    {
        _line += _buffer.AsSpan(_lineMark, position - _lineMark).Count((byte)'\n');
        _lineMark = position;
        return _line;
    }

    private void MakeRoom()
    {
        LineAt(_start);
        int rest = _end - _start;
        if (_start == 0 && rest == _buffer.Length)
        {
            if (_buffer.Length >= LongestToken)
                throw new DataFormatException(_path, _line, $"texts of at most {LongestToken} bytes", "a longer one");
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        }
        else
        {
            _buffer.AsSpan(_start, rest).CopyTo(_buffer);
        }
        _bufferOffset += _start;
        (_start, _end, _lineMark) = (0, rest, 0);
    }

    private void Fill()
    {
        while (_end < _buffer.Length)
        {
            int read = RandomAccess.Read(_file, _buffer.AsSpan(_end), _fileOffset);
            if (read == 0)
            {
                _final = true;
                return;
            }
            _hash.AppendData(_buffer, _end, read);
            _end += read;
            _fileOffset += read;
        }
    }
}
