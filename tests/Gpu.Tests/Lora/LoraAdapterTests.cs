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
