using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tests.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Lora;

[Collection(TorchCollection.Name)]
public sealed class LoraAdapterTests
{
    private static readonly LlamaConfig Tiny = new()
    {
        VocabularySize = 50,
        HiddenSize = 16,
        IntermediateSize = 24,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        MaxLength = 32,
    };

    [SharedFact("reference/checkpoints/llama/lora")]
    public void Given_an_adapter_of_PEFT_When_loaded_Then_the_logits_are_those_of_PEFT_and_off_those_of_the_base()
    {
        string folder = SharedFolder.Find("reference/checkpoints/llama")!, lora = Path.Combine(folder, "lora");
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = CausalCheckpoint.Load(folder, CPU);
        using var adapter = LoraAdapter.Attach(model, LoraAdapter.ReadSettings(lora), 1);
        adapter.Load(lora);
        var expected = SafeTensors.Read(Path.Combine(lora, "expected.safetensors"), CPU);
        LlamaModelTests.AssertClose(expected["logits"], model.Forward(expected["input_ids"]), 2e-4);
        adapter.Enabled = false;
        var plain = SafeTensors.Read(Path.Combine(folder, "expected.safetensors"), CPU);
        LlamaModelTests.AssertClose(plain["logits"], model.Forward(plain["input_ids"]), 2e-4);
    }

    [Fact]
    public void Given_a_fresh_adapter_Then_nothing_changes_and_only_it_is_trainable()
    {
        using var scope = NewDisposeScope();
        using var model = new LlamaModel(Tiny, 1, CPU);
        var ids = arange(12, ScalarType.Int64).view(2, 6);
        var before = model.Forward(ids);
        using (var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4, Alpha = 8 }, 3))
        {
            LlamaModelTests.AssertClose(before, model.Forward(ids), 0);
            Assert.Equal(2 * 7 * 2, adapter.Parameters.Count);
            Assert.All(adapter.Parameters, p => Assert.True(p.requires_grad));
            Assert.All(model.parameters(), p => Assert.False(p.requires_grad));
            Assert.Throws<InvalidOperationException>(() => LoraAdapter.Attach(model, new LoraSettings(), 3));
        }
        Assert.All(model.parameters(), p => Assert.True(p.requires_grad));
        LlamaModelTests.AssertClose(before, model.Forward(ids), 0);
    }

    [Fact]
    public void Given_a_branch_When_merged_Then_the_weight_gives_what_the_branch_gives()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, 1, CPU);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4, Alpha = 8 }, 3);
        Disturb(adapter);
        var projection = model.Layers[1].Mlp.Down;
        var x = randn(5, 24);
        LlamaModelTests.AssertClose(projection.Apply(x), nn.functional.linear(x, projection.Merged()), 1e-5);
        // x W^T + (x A^T) B^T alpha / r, written out
        var branch = projection.Branch!;
        var expected = x.mm(projection.Weight.t()) + x.mm(branch.A.t()).mm(branch.B.t()) * 2;
        LlamaModelTests.AssertClose(expected, projection.Apply(x), 1e-5);
    }

    [Fact]
    public void Given_an_adapter_When_saved_and_loaded_Then_same_bits_and_others_are_refused()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        using var model = new LlamaModel(Tiny, 1, CPU);
        var settings = new LoraSettings { Rank = 4, Alpha = 8, TargetModules = ["q_proj", "down_proj"] };
        float[][] saved;
        using (var adapter = LoraAdapter.Attach(model, settings, 3))
        {
            Disturb(adapter);
            adapter.Save(folder["a"]);
            saved = Values(adapter);
            adapter.Reset(3);
            Assert.NotEqual(saved, Values(adapter));
        }
        using (var adapter = LoraAdapter.Attach(model, LoraAdapter.ReadSettings(folder["a"]), 4))
        {
            adapter.Load(folder["a"]);
            Assert.Equal(saved, Values(adapter));
            Assert.True(adapter.Parameters.All(p => p.requires_grad));
        }
        using (var adapter = LoraAdapter.Attach(model, settings with { Rank = 2 }, 4))
            Assert.Contains("rank 4", Assert.Throws<InvalidDataException>(() => adapter.Load(folder["a"])).Message);
        using var wide = new LlamaModel(Tiny with { HiddenSize = 32 }, 1, CPU);
        using (var adapter = LoraAdapter.Attach(wide, settings, 4))
            Assert.Contains("expected [4, 32], found [4, 16]", Assert.Throws<InvalidDataException>(() => adapter.Load(folder["a"])).Message);
    }

    [Fact]
    public void Given_an_adapter_of_Gpt2_in_PEFTs_layout_When_opened_Then_the_logits_are_plain_loops_on_merged_weights()
    {
        const string Config = """{"model_type":"gpt2","vocab_size":90,"n_embd":24,"n_head":3,"n_layer":2,"n_positions":64,"layer_norm_epsilon":1e-5,"activation_function":"gelu_new"}""";
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        SelfMadeCheckpoint.Write(folder["base"], Config);
        // By hand: r 3, alpha 5, rank-stabilised, so scaled by 5 / sqrt(3); c_attn and both c_proj of both layers.
        Directory.CreateDirectory(folder["lora"]);
        File.WriteAllText(Path.Combine(folder["lora"], "adapter_config.json"),
            """{"peft_type":"LORA","r":3,"lora_alpha":5,"use_rslora":true,"bias":"none","fan_in_fan_out":true,"lora_dropout":0.1,"target_modules":["c_proj","c_attn"],"modules_to_save":null,"rank_pattern":{}}""");
        using var generator = new Generator(3, CPU);
        var weights = SafeTensors.Read(Path.Combine(folder["base"], "model.safetensors"), CPU);
        var lora = new Dictionary<string, Tensor>();
        foreach (var name in weights.Keys.Where(n => n.EndsWith("c_attn.weight", StringComparison.Ordinal) || n.EndsWith("c_proj.weight", StringComparison.Ordinal)).ToArray())
        {
            var (a, b) = (randn([3, weights[name].shape[0]], generator: generator) * 0.2, randn([weights[name].shape[1], 3], generator: generator) * 0.2);
            lora[$"base_model.model.{name[..^7]}.lora_A.weight"] = a;
            lora[$"base_model.model.{name[..^7]}.lora_B.weight"] = b;
            weights[name] = weights[name] + (b.mm(a) * (5 / Math.Sqrt(3))).t(); // Conv1D keeps [in, out]
        }
        SafeTensors.Write(Path.Combine(folder["lora"], "adapter_model.safetensors"), lora, null);
        Directory.CreateDirectory(folder["merged"]);
        File.WriteAllText(Path.Combine(folder["merged"], "config.json"), Config);
        SafeTensors.Write(Path.Combine(folder["merged"], "model.safetensors"), weights, null);

        int[] ids = [3, 1, 4, 1, 5, 9, 2, 6];
        var plain = new PlainForward(folder["merged"]).Logits(ids);
        var expected = tensor(plain.SelectMany(row => row).ToArray(), [1, 8, 90]).to_type(ScalarType.Float32);
        using var model = CausalCheckpoint.Load(folder["base"], CPU);
        using var adapter = LoraAdapter.Open(model, folder["lora"]);
        var input = tensor(ids.Select(i => (long)i).ToArray()).unsqueeze(0);
        Assert.True((expected - WithoutAdapter(model, adapter, input)).abs().max().item<float>() > 0.05);
        LlamaModelTests.AssertClose(expected, model.Forward(input), 2e-4);
        adapter.Merge();
        LlamaModelTests.AssertClose(expected, model.Forward(input), 2e-4);
        adapter.Unmerge();
        adapter.Save(folder["again"]);
        Assert.Contains("\"fan_in_fan_out\": true", File.ReadAllText(Path.Combine(folder["again"], "adapter_config.json")));
        Assert.Equal(0.1, LoraAdapter.ReadSettings(folder["again"]).Dropout);
        adapter.Reset(1);
        adapter.Load(folder["again"]);
        LlamaModelTests.AssertClose(expected, model.Forward(input), 2e-4);
    }

    [Fact]
    public void Given_a_merged_adapter_When_unmerged_Then_the_weights_are_the_same_bits()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, 1, CPU);
        var before = model.parameters().Select(p => p.data<float>().ToArray()).ToArray();
        var ids = arange(12, ScalarType.Int64).view(2, 6);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4, Alpha = 8, TargetPattern = LoraSettings.AllLinear }, 3);
        Disturb(adapter);
        var logits = model.Forward(ids);
        adapter.Merge();
        Assert.True(adapter.IsMerged);
        LlamaModelTests.AssertClose(logits, model.Forward(ids), 1e-5);
        Assert.Throws<InvalidOperationException>(adapter.Merge);
        Assert.Throws<InvalidOperationException>(() => adapter.Enabled = false);
        Assert.Throws<InvalidOperationException>(() => adapter.Reset(1));
        adapter.Unmerge();
        Assert.Equal(before, model.parameters().Select(p => p.data<float>().ToArray()).ToArray());
        LlamaModelTests.AssertClose(logits, model.Forward(ids), 0);
        Assert.Throws<InvalidOperationException>(adapter.Unmerge);
    }

    [Theory]
    [InlineData("all-linear", 14)] // the seven of two layers, not the head
    [InlineData(".*\\.mlp\\..*|lm_head", 7)]
    [InlineData("model\\.layers\\.1\\..*proj", 7)]
    [InlineData("v_proj", 0)] // a pattern matches whole names
    public void Given_a_pattern_When_attached_Then_the_layers_it_names(string pattern, int count)
    {
        using var model = new LlamaModel(Tiny with { TieEmbeddings = false }, 1, CPU);
        var settings = new LoraSettings { Rank = 2, TargetPattern = pattern };
        if (count == 0)
        {
            Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(model, settings, 1));
            return;
        }
        using var folder = new TemporaryFolder();
        using (var adapter = LoraAdapter.Attach(model, settings, 1))
        {
            Assert.Equal(2 * count, adapter.Parameters.Count);
            adapter.Save(folder.Path);
        }
        using var again = LoraAdapter.Open(model, folder.Path);
        Assert.Equal((pattern, 2 * count), (again.Settings.TargetPattern, again.Parameters.Count));
    }

    [Fact]
    public void Given_a_tied_head_When_adapted_Then_the_embedding_stays_and_merging_is_refused()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, 1, CPU);
        var ids = arange(12, ScalarType.Int64).view(2, 6);
        var (hidden, logits) = (model.Hidden(ids), model.Forward(ids));
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4, TargetModules = ["lm_head"] }, 3);
        Disturb(adapter);
        LlamaModelTests.AssertClose(hidden, model.Hidden(ids), 0);
        Assert.True((logits - model.Forward(ids)).abs().max().item<float>() > 1e-3);
        Assert.Contains("tied to the embedding", Assert.Throws<InvalidOperationException>(adapter.Merge).Message);
    }

    [Fact]
    public void Given_dropout_When_training_Then_inputs_are_dropped_and_otherwise_not()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, 1, CPU);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4, Dropout = 0.5 }, 3);
        Disturb(adapter);
        var ids = arange(12, ScalarType.Int64).view(2, 6);
        var plain = model.Forward(ids);
        LlamaModelTests.AssertClose(plain, model.Forward(ids), 0);
        adapter.Training = true;
        Assert.True((plain - model.Forward(ids)).abs().max().item<float>() > 1e-4);
        adapter.Dropout = 0;
        LlamaModelTests.AssertClose(plain, model.Forward(ids), 0);
    }

    [Fact]
    public void Given_half_precision_weights_When_adapted_Then_the_branch_is_float32_and_small_updates_are_kept()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, new DeviceWeights(CPU, ScalarType.BFloat16));
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 3);
        Assert.All(adapter.Parameters, p => Assert.Equal(ScalarType.Float32, p.dtype));
        Disturb(adapter);
        var projection = model.Layers[0].Mlp.Up;
        var x = randn(5, 16).to_type(ScalarType.BFloat16);
        Assert.Equal(ScalarType.BFloat16, projection.Apply(x).dtype);
        var merged = nn.functional.linear(x, projection.Merged());
        // Three roundings to bfloat16 of values up to about 1.
        LlamaModelTests.AssertClose(projection.Apply(x).to_type(ScalarType.Float32), merged.to_type(ScalarType.Float32), 0.02);
    }

    [Theory]
    [InlineData("\"use_dora\": true", "use_dora: expected false, found true")]
    [InlineData("\"bias\": \"all\"", "bias: expected \"none\", found \"all\"")]
    [InlineData("\"modules_to_save\": [\"lm_head\"]", "modules_to_save: expected null, found [\"lm_head\"]")]
    [InlineData("\"rank_pattern\": {\"q_proj\": 8}", "rank_pattern: expected {}")]
    [InlineData("\"peft_type\": \"IA3\"", "peft_type: expected \"LORA\"")]
    [InlineData("\"init_lora_weights\": \"pissa\"", "init_lora_weights: expected true or false")]
    [InlineData("\"target_modules\": 3", "target_modules: expected a list")]
    [InlineData("\"lora_dropout\": 1.5", "Dropout must be in [0, 1), got 1.5")]
    [InlineData("\"layers_to_transform\": [0]", "layers_to_transform: expected null")]
    public void Given_an_adapter_of_another_kind_When_read_Then_the_message_names_what(string field, string part)
    {
        using var folder = new TemporaryFolder();
        var fields = new List<string> { "\"peft_type\": \"LORA\"", "\"r\": 4", "\"lora_alpha\": 8", "\"target_modules\": [\"q_proj\"]", "\"bias\": \"none\"" };
        fields.RemoveAll(f => f.Split(':')[0] == field.Split(':')[0]);
        File.WriteAllText(folder["adapter_config.json"], $"{{{string.Join(", ", fields.Append(field))}}}");
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => LoraAdapter.ReadSettings(folder.Path)).Message);
    }

    [Fact]
    public void Given_one_seed_When_reset_Then_as_attached_with_it()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        float[][] fresh;
        using (var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 9))
            fresh = Values(adapter);
        using (var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 10))
        {
            Assert.NotEqual(fresh, Values(adapter));
            adapter.Reset(9);
            Assert.Equal(fresh, Values(adapter));
            Assert.All(fresh[0], a => Assert.InRange(a, -0.25f, 0.25f)); // 1 / sqrt(16)
            Assert.All(fresh[1], b => Assert.Equal(0, b));
        }
    }

    [Fact]
    public void Given_wrong_settings_When_made_Then_the_message_names_them()
    {
        Assert.Contains("Rank must be at least 1, got 0", Assert.Throws<ArgumentOutOfRangeException>(() => new LoraSettings { Rank = 0 }).Message);
        Assert.Contains("no empty one", Assert.Throws<ArgumentException>(() => new LoraSettings { TargetModules = [""] }).Message);
        Assert.Contains("regular expression, got (", Assert.Throws<ArgumentException>(() => new LoraSettings { TargetPattern = "(" }).Message);
        using var model = new LlamaModel(Tiny, 1, CPU);
        var e = Assert.Throws<ArgumentException>(() => LoraAdapter.Attach(model, new LoraSettings { TargetModules = ["c_attn"] }, 1));
        Assert.Contains("(c_attn) name no layer of this llama model, which has q_proj", e.Message);
    }

    private static Tensor WithoutAdapter(CausalModel model, LoraAdapter adapter, Tensor ids)
    {
        adapter.Enabled = false;
        var logits = model.Forward(ids);
        adapter.Enabled = true;
        return logits;
    }

    internal static void Disturb(LoraAdapter adapter)
    {
        using var noGrad = no_grad();
        using var generator = new Generator(5, CPU);
        using var scope = NewDisposeScope();
        foreach (var parameter in adapter.Parameters)
            parameter.add_(randn(parameter.shape, generator: generator) * 0.1);
    }

    internal static float[][] Values(LoraAdapter adapter) =>
        [.. adapter.Parameters.Select(p => p.detach().data<float>().ToArray())];
}
