namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>The third step: a piece of text to ids. Thread-safe.</summary>
internal abstract class WordModel(Vocabulary vocabulary)
{
    internal Vocabulary Vocabulary { get; } = vocabulary;

    /// <summary>Appends the ids of a piece that is not empty.</summary>
    internal abstract void Encode(ReadOnlySpan<char> word, List<int> ids);

    /// <param name="json">The model of a tokenizer.json.</param>
    /// <param name="byteLevel">The pieces are taken as bytes in GPT-2's alphabet.</param>
    internal static WordModel Read(ComponentJson json, bool byteLevel)
    {
        // Files of before 2020 leave the type out; only BPE has merges.
        var type = json.Text("type") ?? (json.Has("merges") ? "BPE" : json.Type);
        return type switch
        {
            "BPE" => BpeModel.FromJson(json, byteLevel),
            "WordPiece" when byteLevel => throw json.Wrong("WordPiece after a ByteLevel pre_tokenizer is not supported"),
            "WordPiece" => WordPieceModel.FromJson(json),
            _ => throw json.Unsupported("BPE", "WordPiece"),
        };
    }

    internal static Vocabulary ReadVocabulary(ComponentJson json)
    {
        var vocab = json.RequiredChild("vocab");
        if (vocab.Json.ValueKind != System.Text.Json.JsonValueKind.Object)
            throw vocab.Wrong("must be an object of tokens and ids");
        var tokens = new List<KeyValuePair<string, int>>();
        foreach (var token in vocab.Json.EnumerateObject())
        {
            if (token.Value.ValueKind != System.Text.Json.JsonValueKind.Number || !token.Value.TryGetInt32(out var id))
                throw vocab.Wrong($"the id of \"{token.Name}\" must be a whole number, found {token.Value.GetRawText()}");
            tokens.Add(new(token.Name, id));
        }
        return new Vocabulary(tokens, vocab.At);
    }
}
