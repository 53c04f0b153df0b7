using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Checkpoints;

[Collection(TorchCollection.Name)]
public sealed class CausalCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private static LlamaConfig Config(bool tied = true) => new()
    {
        VocabularySize = 50,
        HiddenSize = 16,
        IntermediateSize = 24,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 6,
        RopeTheta = 5000,
        NormEpsilon = 1e-6,
        TieEmbeddings = tied,
        MaxLength = 32,
    };

    [Theory]
    [InlineData("llama")]
    [InlineData("llama-bf16")]
    [InlineData("gpt2")]
    public void Given_a_reference_checkpoint_When_loaded_Then_logits_and_greedy_text_are_transformers(string name)
    {
        if (SharedFolder.Find("reference/checkpoints/" + name) is not { } folder)
            return;
        using var noGrad = no_grad();
        using var model = CausalCheckpoint.Load(folder, CPU);
        var expected = SafeTensors.Read(Path.Combine(folder, "expected.safetensors"), CPU);
        // Two float32 implementations that sum in another order.
        LlamaModelTests.AssertClose(expected["logits"], model.Forward(expected["input_ids"]), 2e-4);
        var greedy = expected["greedy"].data<long>().ToArray();
        var ids = greedy[..6].ToList();
        while (ids.Count < greedy.Length)
            ids.Add(model.Forward(tensor(ids.ToArray()).unsqueeze(0))[0, -1].argmax().item<long>());
        Assert.Equal(greedy, ids);
        var cached = new TextGenerator(model, model.Shape.VocabularySize - 1).Generate(
            [[.. greedy[..6].Select(id => (int)id)]], 1, new SamplingSettings { Temperature = 0, MaxNewTokens = greedy.Length - 6 }, 1, 1, null, default);
        Assert.Equal(greedy[6..], cached[0].Tokens.Select(id => (long)id));
        foreach (var t in expected.Values)
            t.Dispose();
    }

    [SharedFact("reference/checkpoints/llama-bf16")]
    public void Given_half_precision_weights_When_widened_Then_frequencies_are_rounded_unless_exact_ones_are_asked_for()
    {
        var folder = SharedFolder.Find("reference/checkpoints/llama-bf16")!;
        ScalarType? Rounded(CheckpointLoading loading)
        {
            using var model = CausalCheckpoint.Load(folder, CPU, loading);
            return ((LlamaModel)model).Config.RotaryType;
        }
        Assert.Equal(ScalarType.BFloat16, Rounded(new()));
        Assert.Null(Rounded(new() { ExactRotary = true }));
        Assert.Null(Rounded(new() { Type = null }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Given_a_saved_model_When_loaded_Then_shape_and_weights_are_the_same(bool tied)
    {
        using var model = new LlamaModel(Config(tied), 3, CPU);
        CausalCheckpoint.Save(model, _folder.Path, endToken: 0);
        using var loaded = CausalCheckpoint.Load(_folder.Path, CPU);
        Assert.Equal(model.Config, ((LlamaModel)loaded).Config);
        foreach (var ((name, a), (_, b)) in model.named_parameters().Zip(loaded.named_parameters()))
            Assert.True(a.equal(b).all().item<bool>(), name);
        Assert.Equal(tied, !File.ReadAllText(_folder["model.safetensors"]).Contains("lm_head.weight", StringComparison.Ordinal));
    }

    [Fact]
    public void Given_weights_of_another_shape_When_loaded_Then_tensor_and_shapes_are_named()
    {
        using var model = new LlamaModel(Config(), 3, CPU);
        CausalCheckpoint.Save(model, _folder.Path);
        Replace("\"hidden_size\": 16", "\"hidden_size\": 12");
        var e = Assert.Throws<InvalidDataException>(() => CausalCheckpoint.Load(_folder.Path, CPU));
        Assert.Contains("model.embed_tokens.weight must have shape [50, 12] by config.json, found [50, 16]", e.Message);
    }

    [Theory]
    [InlineData("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "lacks 9 tensors")]
    [InlineData("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "has no place in a model of 1 layers")]
    [InlineData("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "model_type must be llama or gpt2, found mamba")]
    [InlineData("\"model_type\": \"llama\"", "\"model_type\": \"gpt2\"", "n_embd is missing")]
    [InlineData("\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"", "rope_type must be default, linear or llama3, found yarn")]
    [InlineData("\"rope_type\": \"default\"", "\"rope_type\": \"llama3\"", "factor is missing")]
    [InlineData("\"attention_bias\": false", "\"attention_bias\": true", "lacks 8 tensors")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act must be silu, found gelu")]
    [InlineData("\"vocab_size\": 50", "\"vocab\": 50", "vocab_size is missing")]
    [InlineData("\"vocab_size\": 50", "\"vocab_size\": -1", "VocabularySize must be at least 1")]
    public void Given_a_configuration_that_does_not_fit_When_loaded_Then_the_message_says_what(string old, string changed, string part)
    {
        using var model = new LlamaModel(Config(), 3, CPU);
        CausalCheckpoint.Save(model, _folder.Path);
        Replace(old, changed);
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => CausalCheckpoint.Load(_folder.Path, CPU)).Message);
    }

    [Fact]
    public void Given_an_empty_folder_When_loaded_Then_the_missing_file_is_named()
    {
        Assert.Contains("no config.json", Assert.Throws<FileNotFoundException>(() => CausalCheckpoint.Load(_folder.Path, CPU)).Message);
        using var model = new LlamaModel(Config(), 3, CPU);
        CausalCheckpoint.Save(model, _folder.Path);
        File.Delete(_folder["model.safetensors"]);
        Assert.Contains("neither model.safetensors nor", Assert.Throws<FileNotFoundException>(() => CausalCheckpoint.Load(_folder.Path, CPU)).Message);
    }

    [Fact]
    public void Given_an_index_that_points_elsewhere_When_loaded_Then_it_is_refused()
    {
        using var model = new LlamaModel(Config(), 3, CPU);
        CausalCheckpoint.Save(model, _folder.Path);
        File.Delete(_folder["model.safetensors"]);
        File.WriteAllText(_folder["model.safetensors.index.json"], """{"weight_map":{"x":"../secret"}}""");
        Assert.Contains("\"../secret\"", Assert.Throws<InvalidDataException>(() => CausalCheckpoint.Load(_folder.Path, CPU)).Message);
    }

    private void Replace(string old, string changed)
    {
        var text = File.ReadAllText(_folder["config.json"]);
        Assert.Contains(old, text);
        File.WriteAllText(_folder["config.json"], text.Replace(old, changed));
    }
}
