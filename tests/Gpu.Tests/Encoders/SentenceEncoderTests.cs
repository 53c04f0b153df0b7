using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Encoders;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Encoders;

[Collection(TorchCollection.Name)]
public sealed class SentenceEncoderTests : IDisposable
{
    private const string Reference = "reference/checkpoints/minilm-st";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact(Reference)]
    public void Given_the_reference_checkpoint_When_its_texts_are_encoded_Then_both_ways_give_its_embeddings()
    {
        var folder = SharedFolder.Find(Reference)!;
        var (texts, expected) = Expected(folder);
        using var encoder = SentenceEncoder.Load(folder, CPU);
        Assert.Equal((48, 64, true), (encoder.Dimension, encoder.MaxTokens, encoder.Normalizes));
        Near(expected, Encoded(encoder, texts), 1e-5);
        Near(expected, Alone(encoder, texts), 1e-5);
    }

    [SharedFact(Reference)]
    public void Given_one_text_among_others_When_encoded_alone_Then_its_bits_depend_neither_on_them_nor_on_threads()
    {
        using var encoder = SentenceEncoder.Load(SharedFolder.Find(Reference)!, CPU);
        var texts = Enumerable.Range(0, 60).Select(i => string.Concat(Enumerable.Repeat($"the amendment {i} ", 1 + (i * 7 % 19)))).ToArray();
        var before = get_num_threads();
        var together = Alone(encoder, texts);
        Assert.Equal(before, get_num_threads());
        var apart = new float[together.Length];
        Parallel.For(0, texts.Length, i => Alone(encoder, [texts[i]]).CopyTo(apart, i * encoder.Dimension));
        Assert.Equal(together, apart);
        Array.Reverse(texts);
        var reversed = Alone(encoder, texts);
        for (var i = 0; i < texts.Length; i++)
            Assert.Equal(together[(i * 48)..((i + 1) * 48)], reversed[((59 - i) * 48)..((60 - i) * 48)]);
        Near(together, Encoded(encoder, [.. texts.Reverse()]), 1e-5); // batches of unequal lengths, padded
    }

    [SharedFact(Reference)]
    public void Given_more_texts_than_a_window_When_encoded_Then_rows_stay_in_order_and_tensors_do_not_pile_up()
    {
        using var encoder = SentenceEncoder.Load(SharedFolder.Find(Reference)!, CPU);
        string[] few = ["a", "the House will now vote", "in order", ""];
        var expected = Encoded(encoder, few);
        var live = LiveTensors.Count();
        var many = Encoded(encoder, [.. Enumerable.Range(0, 5000).Select(i => few[i % 4])]);
        Assert.Equal(live, LiveTensors.Count());
        for (var i = 0; i < 5000; i++)
            Near(expected[(i % 4 * 48)..((i % 4 + 1) * 48)], many[(i * 48)..((i + 1) * 48)], 1e-5);
    }

    [SharedFact(Reference)]
    public void Given_names_with_a_prefix_When_loaded_Then_the_embeddings_are_the_same()
    {
        var source = SharedFolder.Find(Reference)!;
        CopyFolder(source);
        Rewrite(weights => weights.ToDictionary(w => "bert." + w.Key.Replace("LayerNorm.weight", "LayerNorm.gamma"), w => w.Value));
        using var encoder = SentenceEncoder.Load(_folder.Path, CPU);
        var (texts, expected) = Expected(source);
        Near(expected, Encoded(encoder, texts), 1e-5);
    }

    [SharedFact(Reference)]
    public void Given_other_poolings_and_a_dense_layer_When_encoded_Then_they_follow_their_definitions()
    {
        var source = SharedFolder.Find(Reference)!;
        CopyFolder(source);
        string[] texts = ["the House will now vote on amendment 42", "a", "the amendment"];
        SetPooling("""{"word_embedding_dimension": 48, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true, "pooling_mode_mean_sqrt_len_tokens": true}""");
        File.WriteAllText(_folder["modules.json"], """[{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]""");
        using var model = BertModel.Load(_folder.Path, CPU);
        using var encoder = SentenceEncoder.Load(_folder.Path, CPU);
        Assert.Equal(4 * 48, encoder.Dimension);
        var joined = Encoded(encoder, texts);
        for (var i = 0; i < texts.Length; i++)
        {
            using var scope = NewDisposeScope();
            var ids = encoder.Tokenizer.Encode(texts[i], addSpecialTokens: true);
            var hidden = model.Forward(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0), null).data<float>().ToArray();
            for (var c = 0; c < 48; c++)
            {
                var column = Enumerable.Range(0, ids.Length).Select(t => (double)hidden[(t * 48) + c]).ToArray();
                double[] wanted = [column[0], column.Max(), column.Average(), column.Sum() / Math.Sqrt(ids.Length)];
                for (var p = 0; p < 4; p++)
                    Assert.True(Math.Abs(wanted[p] - joined[(i * 192) + (p * 48) + c]) <= 1e-5);
            }
        }

        // A dense layer on the means that picks coordinate 5 twice and adds 1, through tanh.
        SetPooling("""{"embedding_dimension": 48, "pooling_mode": "mean"}""");
        Directory.CreateDirectory(_folder["2_Dense"]);
        File.WriteAllText(Path.Combine(_folder["2_Dense"], "config.json"), """{"in_features": 48, "out_features": 2, "bias": true, "activation_function": "torch.nn.modules.activation.Tanh"}""");
        using (var scope = NewDisposeScope())
        {
            var weight = zeros(2, 48);
            weight[0, 5] = weight[1, 5] = tensor(1f);
            SafeTensors.Write(Path.Combine(_folder["2_Dense"], "model.safetensors"), new Dictionary<string, Tensor> { ["linear.weight"] = weight, ["linear.bias"] = tensor(new[] { 0f, 1f }) }, null);
        }
        File.WriteAllText(_folder["modules.json"], """[{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "1_Pooling"}, {"type": "Dense", "path": "2_Dense"}]""");
        using var dense = SentenceEncoder.Load(_folder.Path, CPU);
        var two = Encoded(dense, texts);
        for (var i = 0; i < texts.Length; i++)
        {
            var mean = joined[(i * 192) + 96 + 5];
            Near([MathF.Tanh(mean), MathF.Tanh(mean + 1)], two[(2 * i)..(2 * i + 2)], 1e-5);
        }
    }

    [SharedTheory(Reference)]
    [InlineData("relu")]
    [InlineData("gelu_new")]
    public void Given_another_activation_When_loaded_Then_it_is_used(string activation)
    {
        CopyFolder(SharedFolder.Find(Reference)!);
        Edit("config.json", "\"gelu\"", $"\"{activation}\"");
        using var encoder = SentenceEncoder.Load(_folder.Path, CPU);
        using var exact = SentenceEncoder.Load(SharedFolder.Find(Reference)!, CPU);
        var difference = Encoded(encoder, ["the House"]).Zip(Encoded(exact, ["the House"]), (a, b) => Math.Abs(a - b)).Max();
        // relu is another function; the approximation by tanh is off by less than 1e-3 everywhere.
        Assert.True(activation == "relu" ? difference > 1e-3f : difference is > 0 and < 1e-3f, $"{activation}: {difference}");
    }

    [SharedTheory(Reference)]
    [InlineData("config.json", "\"bert\"", "\"roberta\"", "model_type roberta is not supported")]
    [InlineData("config.json", "\"gelu\"", "\"silu\"", "hidden_act silu is not supported")]
    [InlineData("config.json", "\"hidden_size\": 48", "\"hidden_size\": 52", "must have shape [")]
    [InlineData("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "lacks 16 tensors of a BERT encoder of 3 layers, among them encoder.layer.2.")]
    [InlineData("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "encoder.layer.1.attention.output.LayerNorm.bias has no place in a BERT encoder of 1 layers")]
    [InlineData("config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "must be a multiple of num_attention_heads 5")]
    [InlineData("config.json", "\"vocab_size\": 800", "\"vocab_size\": \"many\"", "vocab_size must be a whole number")]
    [InlineData("modules.json", "normalize.Normalize", "layernorm.LayerNorm", "LayerNorm is not supported; known are Transformer, Pooling, Dense, Normalize")]
    [InlineData("1_Pooling/config.json", "\"mean\"", "\"lasttoken\"", "pooling_mode lasttoken is not supported")]
    [InlineData("1_Pooling/config.json", "true", "false", "include_prompt")]
    [InlineData("modules.json", "[", "{", "modules.json")]
    public void Given_a_part_that_does_not_fit_When_loaded_Then_the_error_names_it(string file, string from, string to, string named)
    {
        CopyFolder(SharedFolder.Find(Reference)!);
        Edit(file, from, to);
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => SentenceEncoder.Load(_folder.Path, CPU)).Message);
    }

    [SharedFact(Reference)]
    public void Given_a_missing_file_When_loaded_Then_the_error_says_which()
    {
        CopyFolder(SharedFolder.Find(Reference)!);
        File.Move(_folder["model.safetensors"], _folder["pytorch_model.bin"]);
        Assert.Contains("pytorch_model.bin is a pickle", Assert.Throws<InvalidDataException>(() => SentenceEncoder.Load(_folder.Path, CPU)).Message);
        File.Delete(_folder["config.json"]);
        Assert.Contains("config.json is missing", Assert.Throws<InvalidDataException>(() => SentenceEncoder.Load(_folder.Path, CPU)).Message);
        Assert.Contains("no such folder", Assert.Throws<InvalidDataException>(() => SentenceEncoder.Load(_folder["none"], CPU)).Message);
    }

    [SharedFact(Reference)]
    public void Given_a_default_prompt_and_a_shorter_limit_When_encoded_Then_both_are_heeded()
    {
        CopyFolder(SharedFolder.Find(Reference)!);
        using var plain = SentenceEncoder.Load(_folder.Path, CPU);
        Edit("config_sentence_transformers.json", "\"default_prompt_name\": null", "\"default_prompt_name\": \"query\"");
        Edit("config_sentence_transformers.json", "\"query\": \"\"", "\"query\": \"the House: \"");
        File.WriteAllText(_folder["sentence_bert_config.json"], """{"max_seq_length": 6, "do_lower_case": false}""");
        using var prompted = SentenceEncoder.Load(_folder.Path, CPU);
        Assert.Equal(6, prompted.MaxTokens);
        Near(Encoded(prompted, ["a b c d e f"]), Encoded(prompted, ["a b c d e g"]), 0); // cut before they differ
        File.Delete(_folder["sentence_bert_config.json"]);
        using var longer = SentenceEncoder.Load(_folder.Path, CPU);
        Near(Encoded(plain, ["the House: a"]), Encoded(longer, ["a"]), 1e-6);
    }

    private static float[] Encoded(SentenceEncoder encoder, string[] texts)
    {
        var values = new float[texts.Length * encoder.Dimension];
        encoder.Encode(texts, values);
        return values;
    }

    private static float[] Alone(SentenceEncoder encoder, string[] texts)
    {
        var values = new float[texts.Length * encoder.Dimension];
        encoder.EncodeEachAlone(texts, values);
        return values;
    }

    private static (string[] Texts, float[] Embeddings) Expected(string folder)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        string[] texts = [.. json.RootElement.GetProperty("texts").EnumerateArray().Select(t => t.GetString()!)];
        var tensors = SafeTensors.Read(Path.Combine(folder, "expected.safetensors"), CPU);
        using var embeddings = tensors["embeddings"];
        return (texts, embeddings.data<float>().ToArray());
    }

    private static void Near(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
        Assert.True(worst <= tolerance, $"off by {worst}");
        Assert.True(Array.TrueForAll(actual, float.IsFinite));
    }

    private void CopyFolder(string source)
    {
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var target = _folder[Path.GetRelativePath(source, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, File.ReadAllBytes(file));
        }
    }

    private void SetPooling(string json) => File.WriteAllText(Path.Combine(_folder["1_Pooling"], "config.json"), json);

    private void Edit(string file, string from, string to)
    {
        var text = File.ReadAllText(_folder[file]);
        Assert.Contains(from, text);
        File.WriteAllText(_folder[file], text.Replace(from, to));
    }

    private void Rewrite(Func<Dictionary<string, Tensor>, Dictionary<string, Tensor>> change)
    {
        var weights = SafeTensors.Read(_folder["model.safetensors"], CPU);
        SafeTensors.Write(_folder["model.safetensors"], change(weights), null);
        foreach (var weight in weights.Values)
            weight.Dispose();
    }
}
