using System.Text.Json;
using Chorus.Gpu.Tokenizers.Pipeline;

namespace Chorus.Gpu.Tokenizers;

/// <summary>Finds and reads the tokenizer files of a checkpoint.</summary>
internal static class TokenizerFolder
{
    private const string Json = "tokenizer.json";
    private const string WordPieceVocabulary = "vocab.txt";
    private const string BpeVocabulary = "vocab.json";
    private const string BpeMerges = "merges.txt";

    internal static PretrainedTokenizer Read(string directory)
    {
        if (!Directory.Exists(directory))
            throw new InvalidDataException($"{directory}: there is no such folder; a checkpoint's tokenizer was looked for in it");
        using var config = Parse(directory, "tokenizer_config.json");
        using var map = Parse(directory, "special_tokens_map.json");
        var settings = Root(config);
        var names = SpecialTokenNames.Read(settings, Root(map));
        string Path(string name) => System.IO.Path.Combine(directory, name);
        if (File.Exists(Path(Json)))
            return Reading(Path(Json), () => FromJson(directory, settings, names));
        if (File.Exists(Path(BpeVocabulary)) && File.Exists(Path(BpeMerges)))
            return Reading(Path(BpeVocabulary), () => FromMerges(directory, settings, names));
        if (File.Exists(Path(WordPieceVocabulary)))
            return Reading(Path(WordPieceVocabulary), () => FromWordPieces(directory, settings, names));
        throw new InvalidDataException(
            $"{directory}: expected {Json}, or {BpeVocabulary} and {BpeMerges}, or {WordPieceVocabulary}"
            + (File.Exists(Path("tokenizer.model")) ? "; tokenizer.model alone is not read: save the tokenizer once with transformers, which writes tokenizer.json" : ""));
    }

    private static PretrainedTokenizer FromJson(string directory, ComponentJson settings, SpecialTokenNames names)
    {
        using var document = Parse(directory, Json)!;
        var root = Root(document);
        if (root.Json.ValueKind != JsonValueKind.Object)
            throw root.Wrong("expected an object");
        var added = root.Children("added_tokens").Select(t => AddedToken.Read(t, t.Number("id", -1) is var id and >= 0 ? id : throw t.Wrong("id is missing"))).ToList();
        var preTokenizer = PreTokenizer.Read(root.Child("pre_tokenizer"));
        var parts = new TokenizerParts(
            added, Normalizer.Read(root.Child("normalizer")), preTokenizer, WordModel.Read(root.RequiredChild("model"), preTokenizer.IsByteLevel),
            SpecialTokensTemplate.Read(root.Child("post_processor")), TokenDecoder.Read(root.Child("decoder")));
        return new PretrainedTokenizer(parts with { Template = LlamaTemplate(settings, names, added) ?? parts.Template }, names, Json);
    }

    /// <summary>transformers lets add_bos_token and add_eos_token of a LlamaTokenizer win over the file's template; null where neither is given.</summary>
    private static SpecialTokensTemplate? LlamaTemplate(ComponentJson settings, SpecialTokenNames names, List<AddedToken> added)
    {
        if (settings.Text("tokenizer_class") is not ("LlamaTokenizer" or "LlamaTokenizerFast") || !(settings.Has("add_bos_token") || settings.Has("add_eos_token")))
            return null;
        return new SpecialTokensTemplate(
            settings.Flag("add_bos_token", true) ? Ids(names.BeginOfText) : [], settings.Flag("add_eos_token", false) ? Ids(names.EndOfText) : []);

        int[] Ids(string? name) => [.. added.Where(t => t.Content == name).Select(t => t.Id).Take(1)];
    }

    /// <summary>GPT-2's two files: byte-level BPE.</summary>
    private static PretrainedTokenizer FromMerges(string directory, ComponentJson settings, SpecialTokenNames names)
    {
        if (settings.Text("tokenizer_class")?.Replace("Fast", "", StringComparison.Ordinal) is { } kind and not ("GPT2Tokenizer" or "PreTrainedTokenizer" or "TokenizersBackend"))
            throw new InvalidDataException($"a {kind} without {Json} is not supported; known is GPT2Tokenizer. Save the tokenizer once with transformers, which writes {Json}");
        using var document = Parse(directory, BpeVocabulary)!;
        var vocabulary = WordModel.ReadVocabulary(new ComponentJson(JsonSerializer.SerializeToElement(new { vocab = document.RootElement }), ""));
        // Lines, as Python splits them: a merge can hold characters that end a line elsewhere, but never a line feed. The first may tell the version.
        var merges = File.ReadAllText(Path.Combine(directory, BpeMerges)).Split('\n').Select(line => line.TrimEnd('\r'))
            .Where((line, i) => line.Length > 0 && !(i == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
            .Select(line => BpeModel.SplitMerge(line, BpeMerges));
        const string gpt2End = "<|endoftext|>";
        if (!names.All.Any() && vocabulary.Find(gpt2End) is not null)
            names = names with { BeginOfText = gpt2End, EndOfText = gpt2End, Unknown = gpt2End };
        var added = AddedOf(directory, settings, names, vocabulary);
        var begins = settings.Flag("add_bos_token", false) && names.BeginOfText is { } begin ? added.Where(t => t.Content == begin).Select(t => t.Id).ToArray() : [];
        var model = BpeModel.Create(vocabulary, merges, BpeModel.BpeSettings.Plain, byteLevel: true, BpeMerges);
        return new PretrainedTokenizer(
            new TokenizerParts(
                added, Normalizer.Read(null), PreTokenizer.Gpt2(settings.Flag("add_prefix_space", false)), model, new SpecialTokensTemplate(begins, []),
                new TokenDecoder.ByteLevel()),
            names, BpeVocabulary);
    }

    /// <summary>BERT's one file: WordPiece, a token a line.</summary>
    private static PretrainedTokenizer FromWordPieces(string directory, ComponentJson settings, SpecialTokenNames names)
    {
        if (settings.Text("tokenizer_class")?.Replace("Fast", "", StringComparison.Ordinal) is { } kind and not ("BertTokenizer" or "PreTrainedTokenizer" or "TokenizersBackend"))
            throw new InvalidDataException($"a {kind} without {Json} is not supported; known is BertTokenizer. Save the tokenizer once with transformers, which writes {Json}");
        names = names with
        {
            Unknown = names.Unknown ?? "[UNK]",
            Separator = names.Separator ?? "[SEP]",
            Padding = names.Padding ?? "[PAD]",
            Classifier = names.Classifier ?? "[CLS]",
            Mask = names.Mask ?? "[MASK]",
        };
        var vocabulary = new Vocabulary(File.ReadLines(Path.Combine(directory, WordPieceVocabulary)).Select((token, id) => KeyValuePair.Create(token, id)), WordPieceVocabulary);
        var lower = settings.Flag("do_lower_case", true);
        var normalizer = new Normalizer.Bert(CleanText: true, settings.Flag("tokenize_chinese_chars", true), settings.Flag("strip_accents", lower), lower);
        int Id(string token) => vocabulary.Find(token) ?? throw new InvalidDataException($"the vocabulary must hold \"{token}\"");
        return new PretrainedTokenizer(
            new TokenizerParts(
                AddedOf(directory, settings, names, vocabulary), normalizer, PreTokenizer.Bert,
                WordPieceModel.Create(vocabulary, names.Unknown, "##", 100, WordPieceVocabulary),
                new SpecialTokensTemplate([Id(names.Classifier)], [Id(names.Separator)]), new TokenDecoder.WordPiece("##", Cleans: true)),
            names, WordPieceVocabulary);
    }

    /// <summary>The added tokens where no tokenizer.json lists them: of added_tokens_decoder, of added_tokens.json, and those with a role.</summary>
    private static List<AddedToken> AddedOf(string directory, ComponentJson settings, SpecialTokenNames names, Vocabulary vocabulary)
    {
        var added = new List<AddedToken>();
        if (settings.Child("added_tokens_decoder") is { } decoder)
        {
            foreach (var entry in decoder.Json.EnumerateObject())
            {
                var token = new ComponentJson(entry.Value, $"{decoder.At}.{entry.Name}");
                added.Add(AddedToken.Read(token, int.TryParse(entry.Name, out var id) ? id : throw token.Wrong("must be under its id")));
            }
        }
        using var file = Parse(directory, "added_tokens.json");
        if (file is not null)
        {
            foreach (var entry in file.RootElement.EnumerateObject().Where(e => added.TrueForAll(t => t.Content != e.Name)))
                added.Add(new AddedToken(entry.Name, entry.Value.GetInt32(), false, false, false, Normalized: !names.All.Contains(entry.Name), names.All.Contains(entry.Name)));
        }
        foreach (var name in names.All.Where(name => added.TrueForAll(t => t.Content != name)))
            added.Add(AddedToken.OfSpecial(name, vocabulary.Find(name) ?? Math.Max(vocabulary.Size, added.Select(t => t.Id + 1).DefaultIfEmpty(0).Max())));
        return added;
    }

    private static JsonDocument? Parse(string directory, string name)
    {
        var path = Path.Combine(directory, name);
        if (!File.Exists(path))
            return null;
        return Reading(path, () => JsonDocument.Parse(File.ReadAllBytes(path)));
    }

    private static ComponentJson Root(JsonDocument? document) => new(document?.RootElement ?? default, "");

    private static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{path}: the file is damaged: {e.Message}", e);
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }
}
