using Chorus.Gpu.Tokenizers.Pipeline;

namespace Chorus.Gpu.Tokenizers;

/// <summary>
/// The tokenizer of a checkpoint, as Hugging Face's tokenizers read it: normalise, split, look the pieces up, put special
/// tokens around. Thread-safe.
/// </summary>
/// <remarks>
/// <para>Read are tokenizer.json (BPE, byte-level or with SentencePiece's spaces and byte fallback; WordPiece), vocab.json with
/// merges.txt (GPT-2) and vocab.txt (BERT). A component of another kind is an error that names it.</para>
/// <para>Ids and texts are those of the tokenizers library, and so of transformers, with two of its habits left out:
/// truncation and padding that a tokenizer.json asks for (transformers ignores both unless told otherwise), and
/// clean_up_tokenization_spaces, which removes spaces that the text had.</para>
/// </remarks>
public sealed class PretrainedTokenizer : ITokenizer
{
    private readonly Normalizer _normalizer;
    private readonly PreTokenizer _preTokenizer;
    private readonly WordModel _model;
    private readonly SpecialTokensTemplate _template;
    private readonly TokenDecoder _decoder;
    private readonly AddedTokens _inText; // looked for in the text as it is
    private readonly AddedTokens _inNormalized;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<int, string> _spellings; // of added tokens in decoded text

    internal PretrainedTokenizer(TokenizerParts parts, SpecialTokenNames names, string origin)
    {
        (_normalizer, _preTokenizer, _model, _template, _decoder) = (parts.Normalizer, parts.PreTokenizer, parts.Model, parts.Template, parts.Decoder);
        _added = parts.Added.DistinctBy(t => t.Id).ToDictionary(t => t.Id);
        VocabularySize = Math.Max(_model.Vocabulary.Size, _added.Count == 0 ? 0 : _added.Keys.Max() + 1);
        if (_added.Keys.Concat(_template.Before).Concat(_template.After).FirstOrDefault(id => (uint)id >= (uint)VocabularySize, -1) is var outside and >= 0)
            throw new InvalidDataException($"{origin}: special token {outside} is outside the vocabulary of {VocabularySize}");
        _inText = new AddedTokens(parts.Added.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        // What is looked for in normalised text is itself normalised, and decoded so: with Llama 2's normaliser "<s>" is "▁<s>",
        // which took the space before it.
        _spellings = _added.ToDictionary(t => t.Key, t => t.Value.Normalized ? _normalizer.Apply(t.Value.Content) : t.Value.Content);
        _inNormalized = new AddedTokens(parts.Added.Where(t => t.Normalized).Select(t => (_normalizer.Apply(t.Content), t)));
        BeginOfText = Find(names.BeginOfText);
        EndOfText = Find(names.EndOfText);
        Padding = Find(names.Padding);
    }

    public int VocabularySize { get; }

    public int? BeginOfText { get; }

    public int? EndOfText { get; }

    public int? Padding { get; }

    /// <summary>How many special tokens <see cref="Encode"/> puts around a text.</summary>
    public int SpecialTokensAdded => _template.Before.Length + _template.After.Length;

    /// <summary>Reads the tokenizer of a checkpoint.</summary>
    /// <param name="directory">Holds tokenizer.json; or vocab.json and merges.txt; or vocab.txt. tokenizer_config.json and special_tokens_map.json name the special tokens.</param>
    /// <exception cref="InvalidDataException">None of these files, a damaged one, or a component that is not supported; the message names it.</exception>
    public static PretrainedTokenizer Load(string directory) => TokenizerFolder.Read(directory);

    /// <summary>The id of a token by its spelling in the vocabulary; null where there is none.</summary>
    public int? Find(string? token) => token is null ? null
        : _added.Values.FirstOrDefault(t => t.Content == token)?.Id ?? _model.Vocabulary.Find(token);

    /// <inheritdoc/>
    public int[] Encode(string text, bool addSpecialTokens)
    {
        var ids = new List<int>();
        if (addSpecialTokens)
            ids.AddRange(_template.Before);
        Append(text, readSpecial: true, ids);
        if (addSpecialTokens)
            ids.AddRange(_template.After);
        return [.. ids];
    }

    /// <summary>The ids of a text with its special tokens, of which at most <paramref name="maxTokens"/>: the text is cut at its end, the special tokens stay.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="maxTokens">At least the number of special tokens.</param>
    public int[] EncodeTruncated(string text, int maxTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, SpecialTokensAdded);
        var ids = Encode(text, addSpecialTokens: true);
        return ids.Length <= maxTokens ? ids : [.. ids.AsSpan(0, maxTokens - _template.After.Length), .. _template.After];
    }

    /// <inheritdoc/>
    public int[] EncodePlain(string text)
    {
        var ids = new List<int>();
        Append(text, readSpecial: false, ids);
        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(ids), $"ids must be in [0, {VocabularySize}), got {id}");
            if (_added.TryGetValue(id, out var added))
            {
                if (!skipSpecialTokens || !added.Special)
                    tokens.Add(_spellings[id]);
            }
            else if (_model.Vocabulary.Token(id) is { } token)
            {
                tokens.Add(token);
            }
        }
        return string.Concat(_decoder.Apply(tokens));
    }

    private void Append(string text, bool readSpecial, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(text);
        var wellFormed = ByteAlphabet.WellFormed(text);
        var pieces = new List<Piece>();
        foreach (var (start, end, token) in _inText.Split(wellFormed, readSpecial))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
                continue;
            }
            var normalized = _normalizer.Apply(start == 0 && end == wellFormed.Length ? wellFormed : wellFormed[start..end]);
            foreach (var (from, to, found) in _inNormalized.Split(normalized, readSpecial))
            {
                if (found is not null)
                {
                    ids.Add(found.Id);
                    continue;
                }
                pieces.Clear();
                _preTokenizer.Split(new Piece(normalized, from, to - from, OpensText: start == 0 && from == 0), pieces);
                foreach (var piece in pieces)
                    _model.Encode(piece.Span, ids);
            }
        }
    }
}

/// <summary>The steps of a tokenizer.</summary>
internal sealed record TokenizerParts(
    IReadOnlyList<AddedToken> Added, Normalizer Normalizer, PreTokenizer PreTokenizer, WordModel Model, SpecialTokensTemplate Template, TokenDecoder Decoder);
