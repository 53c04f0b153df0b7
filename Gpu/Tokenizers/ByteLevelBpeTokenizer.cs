using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace Chorus.Gpu.Tokenizers;

/// <summary>A byte-level BPE tokenizer as of GPT-2: any text has ids and comes back from them; thread-safe.</summary>
/// <remarks>
/// <see cref="Encode"/> never makes a special token: a private text that spells out "&lt;|endoftext|&gt;" is a text like any
/// other. Here it differs from Hugging Face's tokenizers, which read special tokens in texts.
/// </remarks>
public sealed partial class ByteLevelBpeTokenizer : ITokenizer
{
    /// <summary>The end of a document; also padding, and the beginning where a model wants one.</summary>
    public const string EndOfTextToken = "<|endoftext|>";

    private static readonly string[] EndTokens = [EndOfTextToken, "<|end_of_text|>"];

    private readonly TokenizerJson _json;
    private readonly BpeTokenizer _tokenizer;
    private readonly ImmutableArray<byte[]?> _bytes; // of each id; null is a special token or a gap
    private readonly Dictionary<string, int> _wholeWords = new(StringComparer.Ordinal); // empty unless the file asks for them
    private readonly Regex _words;

    private ByteLevelBpeTokenizer(TokenizerJson json, string origin)
    {
        _json = json;
        var end = EndTokens.Select(name => json.AddedTokens.Where(t => t.Content == name).Select(t => (int?)t.Id).FirstOrDefault()).FirstOrDefault(id => id is not null);
        EndOfText = end ?? throw new InvalidDataException($"{origin}: added_tokens must hold {string.Join(" or ", EndTokens)}");
        VocabularySize = 1 + json.Vocabulary.Select(t => t.Value).Concat(json.AddedTokens.Select(t => t.Id)).Max();
        _bytes = [.. DecodeTokens(json, VocabularySize, origin)];
        if (_bytes.Where(b => b is { Length: 1 }).Select(b => b![0]).Distinct().Count() < 256)
            throw new InvalidDataException($"{origin}: the vocabulary must hold all 256 bytes");
        _words = json.WordPattern is null ? Gpt2Words() : new Regex(json.WordPattern, RegexOptions.CultureInvariant);
        if (json.WholeWords)
        {
            foreach (var (token, id) in json.Vocabulary)
                _wholeWords.Add(token, id);
        }
        _tokenizer = BpeTokenizer.Create(new BpeOptions(json.Vocabulary)
        {
            Merges = json.Merges.Select(m => $"{m.Left} {m.Right}"),
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(_words, null),
        });
    }

    /// <summary>Ids are in [0, VocabularySize); after training it can be less than was asked for, where the texts held no more pairs.</summary>
    public int VocabularySize { get; }

    /// <summary>The id of the end of a document.</summary>
    public int EndOfText { get; }

    /// <summary>Learns a vocabulary: id 0 ends a document, 1 to 256 are the bytes in GPT-2's order, then come merges by frequency.</summary>
    /// <remarks>The same tokenizer for the same texts in any order.</remarks>
    /// <param name="texts">Public texts: what is learned from them is shown to everybody.</param>
    /// <param name="vocabularySize">At most so many ids; 257 or more.</param>
    /// <param name="ct">Ends the training early.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="vocabularySize"/> is below 257.</exception>
    public static ByteLevelBpeTokenizer Train(IEnumerable<string> texts, int vocabularySize, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (vocabularySize < 257)
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), $"vocabularySize must be 257 (the end and the bytes) or more, got {vocabularySize}");
        var (symbols, merges) = BpeTrainer.Learn(texts, Gpt2Words(), vocabularySize - 1, ct);
        var vocabulary = symbols.Select((symbol, i) => KeyValuePair.Create(symbol, i + 1)).ToArray();
        return new ByteLevelBpeTokenizer(new TokenizerJson(vocabulary, merges, [(EndOfTextToken, 0)], null, false), "trained tokenizer");
    }

    /// <summary>Reads a byte-level BPE tokenizer.json, ours or that of GPT-2 or Llama 3.</summary>
    /// <exception cref="InvalidDataException">Another kind of tokenizer, or a broken file; the message says what was expected.</exception>
    public static ByteLevelBpeTokenizer Load(string tokenizerJsonPath) => new(TokenizerJson.Read(tokenizerJsonPath), tokenizerJsonPath);

    /// <summary>Writes tokenizer.json, which Hugging Face's tokenizers read too; a file of that name is replaced at once.</summary>
    public void Save(string tokenizerJsonPath)
    {
        if (_json.WordPattern is not null)
            throw new NotSupportedException("only a tokenizer with GPT-2's words is written; copy the tokenizer.json that this one was read from");
        _json.Write(tokenizerJsonPath);
    }

    /// <summary>The ids of a text, without special tokens. A lone surrogate is read as U+FFFD.</summary>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var wellFormed = ByteAlphabet.WellFormed(text);
        return _wholeWords.Count == 0 ? [.. _tokenizer.EncodeToIds(wellFormed)] : EncodeWholeWords(wellFormed);
    }

    /// <summary>The text of the ids; special tokens are dropped, and bytes that are no UTF-8 become U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id outside [0, VocabularySize).</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var text = new MemoryStream();
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(ids), $"ids must be in [0, {VocabularySize}), got {id}");
            text.Write(_bytes[id]);
        }
        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    int? ITokenizer.BeginOfText => EndOfText;

    int? ITokenizer.EndOfText => EndOfText;

    int? ITokenizer.Padding => EndOfText;

    // It has no template: nothing is put around a text.
    int[] ITokenizer.Encode(string text, bool addSpecialTokens) => Encode(text);

    int[] ITokenizer.EncodePlain(string text) => Encode(text);

    string ITokenizer.Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        if (skipSpecialTokens)
            return Decode(ids);
        var names = _json.AddedTokens.ToDictionary(t => t.Id, t => t.Content);
        var text = new StringBuilder();
        var start = 0;
        for (var i = 0; i <= ids.Length; i++)
        {
            string? special = null;
            if (i < ids.Length && !names.TryGetValue(ids[i], out special))
                continue;
            text.Append(Decode(ids[start..i])).Append(special);
            start = i + 1;
        }
        return text.ToString();
    }

    private int[] EncodeWholeWords(string text)
    {
        var ids = new List<int>();
        foreach (var match in _words.EnumerateMatches(text))
        {
            var word = text.Substring(match.Index, match.Length);
            if (_wholeWords.TryGetValue(ByteAlphabet.Encode(Encoding.UTF8.GetBytes(word)), out var id))
                ids.Add(id);
            else
                ids.AddRange(_tokenizer.EncodeToIds(word, considerPreTokenization: false));
        }
        return [.. ids];
    }

    private static byte[]?[] DecodeTokens(TokenizerJson json, int size, string origin)
    {
        var bytes = new byte[]?[size];
        foreach (var (token, id) in json.Vocabulary)
        {
            if (id < 0 || bytes[id] is not null)
                throw new InvalidDataException($"{origin}: token \"{token}\" has id {id}, which is negative or another token's");
            bytes[id] = ByteAlphabet.TryDecode(token) ?? throw new InvalidDataException($"{origin}: token \"{token}\" is not in GPT-2's byte alphabet");
        }
        return bytes;
    }

    // GPT-2's words (Radford et al. 2019): contractions, and letters, digits or signs each with the space before them.
    [GeneratedRegex(@"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2Words();
}
