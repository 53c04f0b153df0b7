using System.Text;
using System.Text.Json;
using Chorus.Gpu.Tokenizers;
using CsCheck;

namespace Chorus.Gpu.Tests.Tokenizers;

public sealed class ByteLevelBpeTokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly string[] Speech =
    [
        "The House will now vote on the amendment, and the gentleman's time has expired.",
        "Madam Speaker, I rise in support of the bill; the bill's cost was $1,234.56 in 1999.",
        "  naïve café — “quotes” 日本語 😀🏽\n\n\tThe end of the House of the People. ",
    ];

    private static readonly ByteLevelBpeTokenizer Small = ByteLevelBpeTokenizer.Train(Speech, 400);

    // Letters, spaces, signs, lone surrogates and pairs.
    private static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.Char, Gen.Char['a', 'z'], Gen.Char[" \n\t'\ud83d\ude00é語\u0000\u2003"]).Array[0, 60].Select(c => new string(c));

    [Fact]
    public void Given_any_text_When_encoded_and_decoded_Then_it_comes_back_with_lone_surrogates_replaced() => AnyText.Sample(text =>
        Small.Decode(Small.Encode(text)) == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Given_any_ids_When_decoded_Then_special_tokens_leave_no_trace() => Gen.Int[0, Small.VocabularySize - 1].Array[0, 40].Sample(ids =>
        Small.Decode(ids) == Small.Decode([.. ids.Where(id => id != Small.EndOfText)]));

    [Fact]
    public void Given_the_textbook_words_When_trained_Then_merges_follow_frequency_and_then_the_alphabet()
    {
        // low x5, lower x2, newest x6, widest x3, each on its own line (Sennrich et al., arXiv:1508.07909, Algorithm 1).
        // es 9 (then st 9, equal, is gone), est 9; lo 7, low 7; then 6: "ew" < "ne" < "we": ew; next n+ew 6, new+est 6;
        // then low leaves no pair of its own, widest 3 has de, id, wi (d < i < w), and so on.
        var texts = Words(("low", 5), ("lower", 2), ("newest", 6), ("widest", 3));
        var path = _folder["tokenizer.json"];
        ByteLevelBpeTokenizer.Train(texts, 257 + 8).Save(path);
        using var json = JsonDocument.Parse(File.ReadAllText(path));
        Assert.Equal(
            ["e s", "es t", "l o", "lo w", "e w", "n ew", "new est", "d est"],
            json.RootElement.GetProperty("model").GetProperty("merges").EnumerateArray().Select(m => m.GetString()));
        var vocabulary = json.RootElement.GetProperty("model").GetProperty("vocab");
        Assert.Equal(0, vocabulary.GetProperty("<|endoftext|>").GetInt32());
        Assert.Equal(1, vocabulary.GetProperty("!").GetInt32());
        Assert.Equal(257, vocabulary.GetProperty("es").GetInt32());
    }

    private static IEnumerable<string> Words(params (string Word, int Count)[] words) => words.SelectMany(w => Enumerable.Repeat(w.Word, w.Count));

    [Fact]
    public void Given_the_same_texts_in_another_order_When_trained_Then_the_file_is_the_same()
    {
        ByteLevelBpeTokenizer.Train(Speech, 330).Save(_folder["a.json"]);
        ByteLevelBpeTokenizer.Train(Speech.Reverse(), 330).Save(_folder["b.json"]);
        Assert.Equal(File.ReadAllBytes(_folder["a.json"]), File.ReadAllBytes(_folder["b.json"]));
    }

    [Fact]
    public void Given_a_saved_tokenizer_When_loaded_Then_it_encodes_alike()
    {
        var path = _folder["tokenizer.json"];
        Small.Save(path);
        var loaded = ByteLevelBpeTokenizer.Load(path);
        Assert.Equal(Small.VocabularySize, loaded.VocabularySize);
        Assert.Equal(Small.EndOfText, loaded.EndOfText);
        AnyText.Sample(text => Small.Encode(text).SequenceEqual(loaded.Encode(text)), iter: 50);
        loaded.Save(_folder["again.json"]);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder["again.json"]));
    }

    [Fact]
    public void Given_words_of_few_merges_When_encoded_Then_they_match_a_plain_encoder()
    {
        // The definition, slowly: of the adjacent pairs of a word, merge the one of lowest rank (its leftmost first), until none is left.
        var path = _folder["tokenizer.json"];
        Small.Save(path);
        using var json = JsonDocument.Parse(File.ReadAllText(path));
        var model = json.RootElement.GetProperty("model");
        var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(t => t.Name, t => t.Value.GetInt32());
        var ranks = model.GetProperty("merges").EnumerateArray().Select((m, rank) => (m.GetString()!, rank)).ToDictionary(m => m.Item1, m => m.rank);
        Gen.Char["theousandm"].Array[1, 12].Sample(letters =>
        {
            var parts = letters.Select(c => c.ToString()).ToList();
            while (true)
            {
                var best = Enumerable.Range(0, parts.Count - 1).Where(i => ranks.ContainsKey($"{parts[i]} {parts[i + 1]}"))
                    .OrderBy(i => ranks[$"{parts[i]} {parts[i + 1]}"]).Cast<int?>().FirstOrDefault();
                if (best is not { } at)
                    break;
                parts[at] += parts[at + 1];
                parts.RemoveAt(at + 1);
            }
            return parts.Select(p => ids[p]).SequenceEqual(Small.Encode(new string(letters)));
        });
    }

    [Fact]
    public void Given_a_text_that_spells_the_end_token_When_encoded_Then_the_end_token_is_not_made()
    {
        var ids = Small.Encode("a<|endoftext|>b");
        Assert.DoesNotContain(Small.EndOfText, ids);
        Assert.Equal("a<|endoftext|>b", Small.Decode(ids));
    }

    [Fact]
    public void Given_few_texts_When_trained_for_many_tokens_Then_the_size_is_what_was_found()
    {
        var tokenizer = ByteLevelBpeTokenizer.Train(["aa aa"], 5000);
        Assert.Equal(258, tokenizer.VocabularySize); // "aa"; " aa" occurs once
        Assert.Equal(257, ByteLevelBpeTokenizer.Train([], 300).VocabularySize);
    }

    [Fact]
    public void Given_ids_out_of_range_When_decoded_Then_the_range_is_named() =>
        Assert.Contains("[0, 400)", Assert.Throws<ArgumentOutOfRangeException>(() => Small.Decode([400])).Message.Replace(Small.VocabularySize.ToString(), "400"));

    [Theory]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("""{"model":{"type":"Unigram","vocab":{},"merges":[]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}}""")]
    public void Given_a_file_of_another_kind_When_loaded_Then_it_is_refused_with_its_name(string content)
    {
        File.WriteAllText(_folder["tokenizer.json"], content);
        Assert.Contains("tokenizer.json", Assert.Throws<InvalidDataException>(() => ByteLevelBpeTokenizer.Load(_folder["tokenizer.json"])).Message);
    }

    [SharedFact("reference/checkpoints/llama/expected.json")]
    public void Given_a_Llama_3_tokenizer_When_its_cases_are_encoded_Then_the_ids_are_Hugging_Faces() => CheckCases("llama");

    [SharedFact("reference/checkpoints/gpt2/expected.json")]
    public void Given_a_GPT_2_tokenizer_When_its_cases_are_encoded_Then_the_ids_are_Hugging_Faces() => CheckCases("gpt2");

    private static void CheckCases(string checkpoint)
    {
        var folder = SharedFolder.Find("reference/checkpoints/" + checkpoint)!;
        var tokenizer = ByteLevelBpeTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        foreach (var tokens in json.RootElement.GetProperty("tokenizer_cases").EnumerateArray())
        {
            var text = tokens.GetProperty("text").GetString()!;
            Assert.Equal(tokens.GetProperty("ids_no_special").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(text));
            Assert.Equal(tokens.GetProperty("decoded").GetString(), tokenizer.Decode([.. tokens.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())]));
        }
    }
}
