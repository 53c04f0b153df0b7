using System.Text.Json.Nodes;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Generation;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Models;

/// <summary>Shapes that the reference checkpoints do not have, against plain float64 loops.</summary>
[Collection(TorchCollection.Name)]
public sealed class ModelShapesTests : IDisposable
{
    private const string Llama = """
        {"model_type":"llama","hidden_act":"silu","vocab_size":90,"hidden_size":24,"intermediate_size":40,"num_hidden_layers":2,"num_attention_heads":4,
         "max_position_embeddings":512,"rms_norm_eps":1e-6,"tie_word_embeddings":false,"rope_theta":10000.0}
        """;

    private const string Gpt2 = """
        {"model_type":"gpt2","vocab_size":90,"n_embd":24,"n_head":3,"n_layer":2,"n_positions":64,"layer_norm_epsilon":1e-5,"activation_function":"gelu_new"}
        """;

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"num_key_value_heads":2,"tie_word_embeddings":true}""")]
    [InlineData("""{"num_key_value_heads":1,"head_dim":10}""")]
    [InlineData("""{"num_attention_heads":5,"head_dim":8,"num_key_value_heads":5}""")]
    [InlineData("""{"attention_bias":true,"mlp_bias":true,"num_key_value_heads":2}""")]
    [InlineData("""{"rope_theta":500000.0,"head_dim":16,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}}""")]
    [InlineData("""{"rope_theta":null,"head_dim":16,"rope_parameters":{"rope_type":"llama3","rope_theta":50000.0,"factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":128}}""")]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":4.0}}""")]
    [InlineData("""{"rope_theta":null,"rope_parameters":{"rope_type":"linear","rope_theta":20000.0,"factor":2.0}}""")]
    [InlineData("""{"rope_scaling":null,"num_key_value_heads":null,"head_dim":null}""")]
    public void Given_a_Llama_of_any_shape_When_run_Then_its_logits_are_those_of_plain_loops(string changes) => Compare(Llama, changes);

    [Theory]
    [InlineData("{}", "transformer.")]
    [InlineData("{}", "")]
    [InlineData("""{"n_inner":36,"n_head":4}""", "transformer.")]
    public void Given_a_Gpt2_of_any_shape_When_run_Then_its_logits_are_those_of_plain_loops(string changes, string prefix) => Compare(Gpt2, changes, prefix);

    // 300 positions: beyond the rotary table's first length too, and far enough that scaled frequencies matter.
    [Fact]
    public void Given_a_long_sequence_When_run_Then_its_logits_are_those_of_plain_loops() =>
        Compare(Llama, """{"num_hidden_layers":1,"hidden_size":8,"intermediate_size":8,"num_attention_heads":1,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}}""", length: 300);

    [Theory]
    [InlineData(Llama, """{"num_key_value_heads":2,"head_dim":10,"attention_bias":true,"mlp_bias":true}""")]
    [InlineData(Gpt2, "{}")]
    public void Given_a_checkpoint_When_saved_in_shards_and_loaded_Then_the_same_bits(string config, string changes)
    {
        SelfMadeCheckpoint.Write(_folder["a"], Changed(config, changes));
        using var model = CausalCheckpoint.Load(_folder["a"], CPU);
        CausalCheckpoint.Save(model, _folder["b"], endToken: 7, shardBytes: 5000);
        Assert.True(Directory.GetFiles(_folder["b"], "model-*-of-*.safetensors").Length > 3);
        Assert.False(File.Exists(Path.Combine(_folder["b"], "model.safetensors")));
        using var again = CausalCheckpoint.Load(_folder["b"], CPU);
        Assert.Equal(model.Shape, again.Shape);
        Assert.Equal([7], CausalCheckpoint.EndTokens(_folder["b"]));
        foreach (var ((name, a), (_, b)) in model.named_parameters().Zip(again.named_parameters()))
            Assert.True(a.equal(b).all().item<bool>(), name);
        CausalCheckpoint.Save(model, _folder["b"]);
        Assert.False(File.Exists(Path.Combine(_folder["b"], "model.safetensors.index.json")));
        Assert.Equal(CausalCheckpoint.Describe(_folder["a"]).Shape, CausalCheckpoint.Describe(_folder["b"]).Shape);
        Assert.Equal(model.Shape.ParameterCount, model.parameters().Sum(p => p.numel()));
    }

    [Theory]
    [InlineData(Llama, """{"num_key_value_heads":2,"rope_scaling":{"rope_type":"linear","factor":4.0}}""")]
    [InlineData(Gpt2, "{}")]
    public void Given_half_precision_weights_When_kept_Then_the_model_is_near_the_wide_one(string config, string changes)
    {
        SelfMadeCheckpoint.Write(_folder["a"], Changed(config, changes), ScalarType.BFloat16);
        using var noGrad = no_grad();
        using var narrow = CausalCheckpoint.Load(_folder["a"], CPU, new CheckpointLoading { Type = null });
        using var wide = CausalCheckpoint.Load(_folder["a"], CPU);
        Assert.Equal((ScalarType.BFloat16, ScalarType.Float32), (narrow.Type, wide.Type));
        var ids = tensor(Ids(20)).unsqueeze(0);
        var (a, b) = (narrow.Forward(ids).to_type(ScalarType.Float32), wide.Forward(ids));
        // Two layers of bfloat16 round to 2^-9 some ten times; logits here have a standard deviation of about 1.
        Assert.True((a - b).abs().max().item<float>() < 0.25, $"{(a - b).abs().max().item<float>()}");
    }

    private void Compare(string config, string changes, string prefix = "transformer.", int length = 40)
    {
        SelfMadeCheckpoint.Write(_folder["a"], Changed(config, changes), prefix: prefix);
        using var noGrad = no_grad();
        using var model = CausalCheckpoint.Load(_folder["a"], CPU);
        long[] ids = Ids(length);
        var plain = new PlainForward(_folder["a"]).Logits([.. ids.Select(id => (int)id)]);
        var expected = tensor(plain.SelectMany(row => row).ToArray(), [1, length, plain[0].Length]).to_type(ScalarType.Float32);
        Assert.True(expected.std().item<float>() > 0.3);
        LlamaModelTests.AssertClose(expected, model.Forward(tensor(ids).unsqueeze(0)), 2e-4);

        // The same text token by token, with caches.
        var greedy = new TextGenerator(model, 89).Generate([[.. ids[..5].Select(id => (int)id)]], 1, new SamplingSettings { Temperature = 0, MaxNewTokens = 8 }, 1, 4, null, default)[0];
        var text = ids[..5].ToList();
        for (int i = 0; i < greedy.Tokens.Length; i++)
        {
            Assert.Equal(model.Forward(tensor(text.ToArray()).unsqueeze(0))[0, -1].argmax().item<long>(), greedy.Tokens[i]);
            text.Add(greedy.Tokens[i]);
        }
    }

    private static string Changed(string config, string changes)
    {
        var json = JsonNode.Parse(config)!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(changes)!.AsObject())
        {
            if (value is null)
                json.Remove(name);
            else
                json[name] = value.DeepClone();
        }
        return json.ToJsonString();
    }

    private static long[] Ids(int count)
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(90))];
    }
}
