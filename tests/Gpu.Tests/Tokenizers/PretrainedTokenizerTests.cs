using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Chorus.Gpu.Tokenizers;
using CsCheck;
using static Chorus.Gpu.Tests.Tokenizers.TokenizerFixtures;

namespace Chorus.Gpu.Tests.Tokenizers;

public sealed class PretrainedTokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private PretrainedTokenizer Load(JsonObject json)
    {
        File.WriteAllText(_folder["tokenizer.json"], json.ToJsonString());
        return PretrainedTokenizer.Load(_folder.Path);
    }

    [SharedFact("reference/checkpoints/llama/expected.json")]
    public void Given_the_Llama_checkpoint_When_its_cases_are_encoded_and_decoded_Then_they_are_Hugging_Faces() => CheckCases("llama");

    [SharedFact("reference/checkpoints/llama-bf16/expected.json")]
    public void Given_the_bf16_Llama_checkpoint_When_its_cases_are_encoded_and_decoded_Then_they_are_Hugging_Faces() => CheckCases("llama-bf16");

    [SharedFact("reference/checkpoints/gpt2/expected.json")]
    public void Given_the_GPT_2_checkpoint_When_its_cases_are_encoded_and_decoded_Then_they_are_Hugging_Faces() => CheckCases("gpt2");

    [SharedFact("reference/checkpoints/minilm-st/expected.json")]
    public void Given_the_MiniLM_checkpoint_When_its_cases_are_encoded_and_decoded_Then_they_are_Hugging_Faces() => CheckCases("minilm-st");

    [SharedFact("reference/checkpoints/gpt2/merges.txt")]
    public void Given_only_vocab_json_and_merges_When_the_GPT_2_cases_are_encoded_Then_they_are_Hugging_Faces()
    {
        var source = SharedFolder.Find("reference/checkpoints/gpt2")!;
        foreach (var name in new[] { "vocab.json", "merges.txt", "tokenizer_config.json" })
            File.Copy(Path.Combine(source, name), _folder[name]);
        var tokenizer = PretrainedTokenizer.Load(_folder.Path);
        CheckCases(tokenizer, source);
        Assert.Equal(600, tokenizer.VocabularySize);
        Assert.Equal(599, tokenizer.EndOfText);
        Assert.Equal([64, 599, 64], tokenizer.Encode("a<|endoftext|>a", addSpecialTokens: true));
    }

    [SharedFact("reference/checkpoints/minilm-st/tokenizer.json")]
    public void Given_only_vocab_txt_When_the_MiniLM_cases_are_encoded_Then_they_are_Hugging_Faces()
    {
        var source = SharedFolder.Find("reference/checkpoints/minilm-st")!;
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(source, "tokenizer.json")));
        var vocabulary = json.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().OrderBy(t => t.Value.GetInt32()).Select(t => t.Name);
        File.WriteAllLines(_folder["vocab.txt"], vocabulary);
        CheckCases(PretrainedTokenizer.Load(_folder.Path), source);
    }

    private static void CheckCases(string checkpoint)
    {
        var folder = SharedFolder.Find("reference/checkpoints/" + checkpoint)!;
        CheckCases(PretrainedTokenizer.Load(folder), folder);
    }

    private static void CheckCases(PretrainedTokenizer tokenizer, string folder)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        foreach (var expected in json.RootElement.GetProperty("tokenizer_cases").EnumerateArray())
        {
            var text = expected.GetProperty("text").GetString()!;
            int[] plain = [.. expected.GetProperty("ids_no_special").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(expected.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(text, addSpecialTokens: true));
            Assert.Equal(plain, tokenizer.Encode(text, addSpecialTokens: false));
            Assert.Equal(plain, tokenizer.EncodePlain(text));
            Assert.Equal(expected.GetProperty("decoded").GetString(), tokenizer.Decode(plain, skipSpecialTokens: false));
        }
    }

    [SharedFact("reference/checkpoints/llama/tokenizer.json")]
    public void Given_any_text_When_byte_level_ids_are_decoded_Then_it_comes_back_with_lone_surrogates_replaced()
    {
        foreach (var checkpoint in new[] { "llama", "gpt2" })
        {
            var tokenizer = PretrainedTokenizer.Load(SharedFolder.Find("reference/checkpoints/" + checkpoint)!);
            Gen.OneOf(Gen.Char, Gen.Char['a', 'z'], Gen.Char[" \n\t'\ud83d\ude00\ud835\udc9cé語\u0000\u2003"]).Array[0, 80].Select(c => new string(c)).Sample(text =>
                tokenizer.Decode(tokenizer.EncodePlain(text), skipSpecialTokens: false) == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));
        }
    }

    // Ids of tokenizers 0.23.2.
    [SharedFact("reference/checkpoints/llama/tokenizer.json")]
    public void Given_letters_beyond_U_FFFF_and_special_tokens_in_the_text_When_encoded_Then_the_ids_are_Hugging_Faces()
    {
        var tokenizer = PretrainedTokenizer.Load(SharedFolder.Find("reference/checkpoints/llama")!);
        const string text = "'ſ Hello 𝒜bc <|end_of_text|> x";
        Assert.Equal([764, 6, 129, 123, 220, 39, 68, 333, 78, 220, 172, 251, 240, 250, 65, 66, 220, 765, 220, 87], tokenizer.Encode(text, addSpecialTokens: true));
        Assert.Equal("'ſ Hello 𝒜bc  x", tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: true), skipSpecialTokens: true));
        Assert.DoesNotContain(765, tokenizer.EncodePlain(text));
        Assert.Equal((764, 765), (tokenizer.BeginOfText, tokenizer.EndOfText));
    }

    [Fact]
    public void Given_a_Llama_2_tokenizer_When_encoded_Then_spaces_are_signs_and_unknown_characters_are_bytes()
    {
        var tokenizer = Load(LlamaTwo());
        // "▁the" is merged over the border of a word's letters; "é" falls back to C3 A9.
        Assert.Equal(Ids(tokenizer, "<s>", "▁the", "n", "▁a", "▁", "<0xC3>", "<0xA9>"), tokenizer.Encode("then a é", addSpecialTokens: true));
        Assert.Equal("then a é", tokenizer.Decode(tokenizer.Encode("then a é", addSpecialTokens: true), skipSpecialTokens: true));
        // The text after a special token gets its own space.
        Assert.Equal(Ids(tokenizer, "▁the", "</s>", "▁", "<0x0A>"), tokenizer.Encode("the</s>\n", addSpecialTokens: false));
        Assert.Equal([], tokenizer.Encode("", addSpecialTokens: false));
    }

    [Theory]
    [InlineData("LlamaTokenizer", "\"add_bos_token\": false, \"add_eos_token\": true", new[] { "▁the", "</s>" })]
    [InlineData("LlamaTokenizerFast", "\"add_eos_token\": true", new[] { "<s>", "▁the", "</s>" })]
    [InlineData("LlamaTokenizer", "\"legacy\": false", new[] { "<s>", "▁the" })]
    [InlineData("PreTrainedTokenizerFast", "\"add_bos_token\": false", new[] { "<s>", "▁the" })]
    public void Given_a_config_that_says_which_special_tokens_are_added_When_it_is_a_LlamaTokenizer_Then_it_wins_over_the_template(
        string kind, string flags, string[] expected)
    {
        File.WriteAllText(_folder["tokenizer_config.json"], $$"""{"tokenizer_class": "{{kind}}", "bos_token": "<s>", "eos_token": {"content": "</s>"}, {{flags}}}""");
        var tokenizer = Load(LlamaTwo());
        Assert.Equal(Ids(tokenizer, expected), tokenizer.Encode("the", addSpecialTokens: true));
        Assert.Equal((1, 2), (tokenizer.BeginOfText, tokenizer.EndOfText));
    }

    [Fact]
    public void Given_any_text_When_a_Llama_2_tokenizer_decodes_its_ids_Then_it_comes_back_with_the_sign_as_a_space()
    {
        var tokenizer = Load(LlamaTwo());
        Gen.OneOf(Gen.Char, Gen.Char["then a▁"]).Array[0, 60].Select(c => new string(c)).Sample(text =>
            tokenizer.Decode(tokenizer.EncodePlain(text), skipSpecialTokens: false) == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Replace('▁', ' '));
    }

    [Theory]
    [InlineData("first", "▁the|</s>|the")]
    [InlineData("always", "▁the|</s>|▁the")]
    [InlineData("never", "the|</s>|the")]
    public void Given_a_Metaspace_scheme_When_a_special_token_cuts_the_text_Then_the_sign_stands_where_the_scheme_says(string scheme, string expected)
    {
        var json = LlamaTwo();
        json["normalizer"] = null;
        json["pre_tokenizer"] = Parse($$"""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{scheme}}", "split": false}""");
        var tokenizer = Load(json);
        Assert.Equal(Ids(tokenizer, expected.Split('|')), tokenizer.Encode("the</s>the", addSpecialTokens: false));
    }

    [Fact]
    public void Given_a_BERT_tokenizer_When_encoded_Then_accents_case_controls_and_Chinese_are_normalised()
    {
        var tokenizer = Load(Bert("naive", "ca", "##fe", "日", "本", "!", "i", "##stanbul"));
        Assert.Equal(Ids(tokenizer, "[CLS]", "naive", "ca", "##fe", "日", "本", "!", "[SEP]"), tokenizer.Encode("Nai\u0308ve\u200b\tCAFÉ日本!", addSpecialTokens: true));
        Assert.Equal(Ids(tokenizer, "i", "##stanbul"), tokenizer.Encode("İstanbul", addSpecialTokens: false));
        Assert.Equal("naive cafe 日 本!", tokenizer.Decode(tokenizer.Encode("naïve café 日本!", addSpecialTokens: true), skipSpecialTokens: true));
    }

    [Fact]
    public void Given_a_word_longer_than_the_model_reads_When_encoded_Then_it_is_unknown_as_a_whole()
    {
        var tokenizer = Load(Bert("a", "##a", "𝒜", "##𝒜"));
        Assert.Equal(10, tokenizer.Encode(new string('a', 10), addSpecialTokens: false).Length);
        Assert.Equal(Ids(tokenizer, "[UNK]"), tokenizer.Encode(new string('a', 11), addSpecialTokens: false));
        // Ten characters, twenty UTF-16 units.
        Assert.Equal(10, tokenizer.Encode(string.Concat(Enumerable.Repeat("𝒜", 10)), addSpecialTokens: false).Length);
        Assert.Equal(Ids(tokenizer, "a", "[UNK]"), tokenizer.Encode("a ab", addSpecialTokens: false));
    }

    [Fact]
    public void Given_a_limit_When_encoded_Then_the_text_is_cut_and_the_special_tokens_stay()
    {
        var tokenizer = Load(Bert("a", "b", "c"));
        Assert.Equal(Ids(tokenizer, "[CLS]", "a", "b", "[SEP]"), tokenizer.EncodeTruncated("a b c", 4));
        Assert.Equal(Ids(tokenizer, "[CLS]", "a", "b", "c", "[SEP]"), tokenizer.EncodeTruncated("a b c", 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.EncodeTruncated("a", 1));
    }

    [Fact]
    public void Given_added_tokens_with_flags_When_encoded_Then_white_space_and_word_borders_are_heeded()
    {
        var json = Bert("a", "b", "mark", "##s");
        var added = json["added_tokens"]!.AsArray();
        added.Add(JsonNode.Parse(Added(9, "<x>", "\"lstrip\": true, \"rstrip\": true, \"single_word\": false, \"normalized\": false")));
        added.Add(JsonNode.Parse(Added(10, "mark", "\"lstrip\": false, \"rstrip\": false, \"single_word\": true, \"normalized\": true")));
        json["pre_tokenizer"] = null; // spaces would show as unknown tokens
        var tokenizer = Load(json);
        Assert.Equal(Ids(tokenizer, "a", "<x>", "b"), tokenizer.Encode("a  <x>\t b", addSpecialTokens: false));
        Assert.Equal([10], tokenizer.Encode("MARK", addSpecialTokens: false)); // found after lower-casing
        Assert.Equal([7, 8], tokenizer.Encode("marks", addSpecialTokens: false)); // the model's own "mark" and "##s"
    }

    [Fact]
    public void Given_one_word_of_a_million_letters_When_encoded_Then_the_merges_are_those_of_a_short_one()
    {
        // Quadratic merging would take hours.
        var tokenizer = Load(LlamaTwo());
        var ids = tokenizer.EncodePlain(string.Concat(Enumerable.Repeat("then", 250_000)));
        Assert.Equal(Ids(tokenizer, "▁the", "n", "the", "n"), ids[..4]);
        Assert.Equal(500_000, ids.Length);
    }

    [Fact]
    public void Given_words_around_the_length_where_the_algorithm_changes_When_encoded_Then_both_merge_alike()
    {
        // The definition, slowly.
        var tokenizer = Load(LlamaTwo());
        (string, string)[] merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("a", "n"), ("▁", "a"), ("▁", "▁")];
        Gen.Char["thean "].Array[40, 90].Select(c => new string(c)).Sample(text =>
        {
            var parts = ("▁" + text.Replace(' ', '▁')).Select(c => c.ToString()).ToList();
            while (true)
            {
                var best = Enumerable.Range(0, parts.Count - 1).Select(i => (Rank: Array.IndexOf(merges, (parts[i], parts[i + 1])), i)).Where(m => m.Rank >= 0).DefaultIfEmpty((-1, -1)).Min();
                if (best.Item1 < 0)
                    break;
                parts[best.Item2] += parts[best.Item2 + 1];
                parts.RemoveAt(best.Item2 + 1);
            }
            return Ids(tokenizer, [.. parts]).SequenceEqual(tokenizer.EncodePlain(text));
        }, iter: 300);
    }

    [Fact]
    public void Given_many_threads_When_they_encode_Then_each_gets_what_one_gets()
    {
        var tokenizer = Load(LlamaTwo());
        var texts = Enumerable.Range(0, 2000).Select(i => $"the {i} an{i}then").ToArray();
        var expected = texts.Select(tokenizer.EncodePlain).ToArray();
        var fresh = PretrainedTokenizer.Load(_folder.Path);
        var actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => actual[i] = fresh.EncodePlain(texts[i]));
        Assert.Equal(expected, actual);
    }

    [Theory]
    [InlineData("normalizer", """{"type": "Precompiled", "precompiled_charsmap": ""}""", "normalizer: Precompiled is not supported")]
    [InlineData("normalizer", """{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]}""", "normalizer.normalizers[1]: Nmt is not supported")]
    [InlineData("pre_tokenizer", """{"type": "UnicodeScripts"}""", "pre_tokenizer: UnicodeScripts is not supported")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "(?<"}, "behavior": "Isolated"}""", "the regular expression is not understood")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "[\\w&&[^a]]"}, "behavior": "Isolated"}""", "&&")]
    [InlineData("post_processor", """{"type": "Roberta"}""", "post_processor: Roberta is not supported")]
    [InlineData("decoder", """{"type": "CTC"}""", "decoder: CTC is not supported")]
    [InlineData("model", """{"type": "Unigram", "vocab": []}""", "model: Unigram is not supported; known are BPE, WordPiece")]
    [InlineData("model", """{"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}""", "merge 0 needs the token \"b\"")]
    [InlineData("model", """{"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}""", "have the same id, 0")]
    [InlineData("model", """{"type": "BPE", "vocab": {"a": 2000000000}, "merges": []}""", "2000000000")]
    [InlineData("model", """{"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}""", "dropout 0.1")]
    [InlineData("model", """{"type": "WordPiece", "vocab": {"a": 0}}""", "unknown token \"[UNK]\"")]
    [InlineData("model", """{"type": "BPE", "merges": []}""", "model: vocab is missing")]
    public void Given_a_component_that_is_not_supported_When_loaded_Then_the_error_names_it_and_the_file(string part, string json, string named)
    {
        var tokenizer = LlamaTwo();
        tokenizer[part] = JsonNode.Parse(json);
        var message = Assert.Throws<InvalidDataException>(() => Load(tokenizer)).Message;
        Assert.Contains(named, message);
        Assert.StartsWith(_folder["tokenizer.json"], message);
    }

    [Fact]
    public void Given_a_folder_without_a_tokenizer_When_loaded_Then_the_error_says_what_was_looked_for()
    {
        Assert.Contains("expected tokenizer.json, or vocab.json and merges.txt, or vocab.txt", Assert.Throws<InvalidDataException>(() => PretrainedTokenizer.Load(_folder.Path)).Message);
        File.WriteAllText(_folder["tokenizer.json"], "{");
        Assert.Contains("tokenizer.json", Assert.Throws<InvalidDataException>(() => PretrainedTokenizer.Load(_folder.Path)).Message);
        Assert.Contains("no such folder", Assert.Throws<InvalidDataException>(() => PretrainedTokenizer.Load(_folder["none"])).Message);
    }

    [Fact]
    public void Given_ids_out_of_range_When_decoded_Then_the_range_is_named()
    {
        var tokenizer = Load(Bert("a"));
        Assert.Contains("[0, 6)", Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([6], skipSpecialTokens: true)).Message);
    }

    private static int[] Ids(PretrainedTokenizer tokenizer, params string[] tokens) =>
        [.. tokens.Select(t => tokenizer.Find(t) ?? throw new ArgumentException($"no token {t}"))];
}
