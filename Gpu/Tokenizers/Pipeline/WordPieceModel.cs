namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>WordPiece as BERT reads it: the longest token that the word begins with, then the longest ## token, and so on.</summary>
/// <remarks>
/// Microsoft.ML.Tokenizers' WordPieceTokenizer splits words alike, but counts the longest word in UTF-16 units, not in
/// characters, and its BERT normalisation strips no accents under invariant globalization; both change ids.
/// </remarks>
internal sealed class WordPieceModel(Vocabulary vocabulary, int unknown, string continuing, int maxWordLength) : WordModel(vocabulary)
{
    private const int OnStack = 256;

    internal static WordPieceModel FromJson(ComponentJson json) =>
        Create(ReadVocabulary(json), json.Text("unk_token") ?? "[UNK]", json.Text("continuing_subword_prefix") ?? "##", json.Number("max_input_chars_per_word", 100), json.At);

    internal static WordPieceModel Create(Vocabulary vocabulary, string unknown, string continuing, int maxWordLength, string at) => new(
        vocabulary,
        vocabulary.Find(unknown) ?? throw new InvalidDataException($"{at}: the vocabulary must hold the unknown token \"{unknown}\""),
        continuing, maxWordLength);

    internal override void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (CountCharacters(word) > maxWordLength)
        {
            ids.Add(unknown);
            return;
        }
        var before = ids.Count;
        var size = continuing.Length + word.Length;
        Span<char> buffer = size <= OnStack ? stackalloc char[OnStack] : new char[size];
        continuing.CopyTo(buffer);
        for (var start = 0; start < word.Length;)
        {
            // After the first token each is looked up with ## before it: the buffer holds both, side by side.
            var rest = word[start..];
            rest.CopyTo(buffer[continuing.Length..]);
            var prefix = start == 0 ? 0 : continuing.Length;
            var candidates = buffer.Slice(continuing.Length - prefix, prefix + rest.Length);
            var length = rest.Length;
            var id = -1;
            for (; length > 0; length--)
            {
                if (length < rest.Length && char.IsLowSurrogate(rest[length]))
                    continue; // would end within a character
                if (Vocabulary.TryGetId(candidates[..(prefix + length)], out id))
                    break;
            }
            if (length == 0)
            {
                ids.RemoveRange(before, ids.Count - before);
                ids.Add(unknown);
                return;
            }
            ids.Add(id);
            start += length;
        }
    }

    private static int CountCharacters(ReadOnlySpan<char> word)
    {
        var count = word.Length;
        foreach (var c in word)
            count -= char.IsLowSurrogate(c) ? 1 : 0;
        return count;
    }
}
