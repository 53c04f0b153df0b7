namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>The model's tokens and their ids.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly string?[] _tokens;

    /// <exception cref="InvalidDataException">An id that is negative or far from its neighbours, or that two tokens share.</exception>
    internal Vocabulary(IEnumerable<KeyValuePair<string, int>> tokens, string at)
    {
        _ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, id) in tokens)
            _ids[token] = id;
        _bySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var size = _ids.Count == 0 ? 0 : 1L + _ids.Values.Max();
        // An id of two billion would make the table below as long.
        if (size > (16L * _ids.Count) + 65_536 || _ids.Values.Any(id => id < 0))
            throw new InvalidDataException($"{at}: ids must be in [0, {(16L * _ids.Count) + 65_536}), found {(_ids.Values.Min() < 0 ? _ids.Values.Min() : size - 1)}");
        _tokens = new string?[size];
        foreach (var (token, id) in _ids)
            _tokens[id] = _tokens[id] is { } other ? throw new InvalidDataException($"{at}: \"{token}\" and \"{other}\" have the same id, {id}") : token;
    }

    /// <summary>One more than the largest id.</summary>
    internal int Size => _tokens.Length;

    internal bool TryGetId(ReadOnlySpan<char> token, out int id) => _bySpan.TryGetValue(token, out id);

    internal int? Find(string token) => _ids.TryGetValue(token, out var id) ? id : null;

    internal string? Token(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;
}
