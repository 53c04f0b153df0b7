using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Models;

[Collection(TorchCollection.Name)]
public sealed class LlamaModelTests
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
        TieEmbeddings = false,
    };

    // transformers' float32 logits; two float32 implementations differ in the order of their sums only.
    [SharedFact("reference/checkpoints/llama")]
    public void Given_a_transformers_checkpoint_When_run_Then_its_logits_are_those_of_transformers() => Compare("llama", 2e-4);

    [SharedFact("reference/checkpoints/llama")]
    public void Given_a_transformers_checkpoint_When_taking_the_likeliest_Then_the_greedy_text_is_that_of_transformers()
    {
        string folder = SharedFolder.Find("reference/checkpoints/llama")!;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = CausalCheckpoint.Load(folder, CPU);
        var expected = SafeTensors.Read(Path.Combine(folder, "expected.safetensors"), CPU)["greedy"].data<long>().ToArray();
        var ids = expected[..6].ToList();
        while (ids.Count < expected.Length)
            ids.Add(model.Forward(tensor(ids.ToArray()).unsqueeze(0))[0, -1].argmax().item<long>());
        Assert.Equal(expected, ids);
    }

    [Fact]
    public void Given_a_model_Then_its_parameters_have_the_names_and_count_of_Hugging_Face()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        var names = model.named_parameters().Select(p => p.name).ToHashSet();
        Assert.Equal(3 + 2 * 9, names.Count);
        foreach (string name in (string[])["model.embed_tokens.weight", "lm_head.weight", "model.norm.weight",
            "model.layers.1.self_attn.o_proj.weight", "model.layers.0.mlp.down_proj.weight", "model.layers.1.post_attention_layernorm.weight"])
            Assert.Contains(name, names);
        Assert.Equal(Tiny.ParameterCount, model.parameters().Sum(p => p.numel()));
        using var tied = new LlamaModel(Tiny with { TieEmbeddings = true }, 1, CPU);
        Assert.DoesNotContain("lm_head.weight", tied.named_parameters().Select(p => p.name));
    }

    [Fact]
    public void Given_one_seed_When_built_twice_Then_same_weights_and_another_seed_gives_others()
    {
        using var a = new LlamaModel(Tiny, 7, CPU);
        using var b = new LlamaModel(Tiny, 7, CPU);
        using var c = new LlamaModel(Tiny, 8, CPU);
        foreach (var (first, second) in a.parameters().Zip(b.parameters()))
            Assert.True(first.equal(second).all().item<bool>());
        Assert.False(a.parameters().First().equal(c.parameters().First()).all().item<bool>());
        var weight = a.Layers[0].Mlp.Gate.Weight;
        Assert.InRange(weight.std().item<float>(), 0.017f, 0.023f);
    }

    [Fact]
    public void Given_a_later_token_changed_When_run_Then_earlier_logits_stay()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, 1, CPU);
        var before = model.Forward(tensor(new long[] { 3, 1, 4, 1, 5, 9 }).unsqueeze(0));
        var after = model.Forward(tensor(new long[] { 3, 1, 4, 1, 5, 8 }).unsqueeze(0));
        AssertClose(before.narrow(1, 0, 5), after.narrow(1, 0, 5), 1e-6);
        Assert.True((before[0, 5] - after[0, 5]).abs().max().item<float>() > 1e-4);
    }

    [Fact]
    public void Given_positions_and_a_mask_of_the_causal_kind_When_run_Then_as_without_them()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = new LlamaModel(Tiny, 1, CPU);
        var ids = tensor(new long[] { 3, 1, 4, 1, 5, 9, 2, 6 }, [2, 4]);
        var positions = arange(4, ScalarType.Int64).unsqueeze(0).expand(2, 4);
        var mask = ones([4, 4], ScalarType.Bool).tril().view(1, 1, 4, 4).expand(2, 1, 4, 4);
        AssertClose(model.Hidden(ids), model.Hidden(ids, positions, mask), 1e-5);
    }

    [Fact]
    public void Given_training_steps_When_each_has_its_scope_Then_live_tensors_stay_and_the_loss_falls()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        using var optimizer = optim.AdamW(model.parameters(), 1e-2);
        var losses = new List<float>();
        long live = 0;
        for (int step = 0; step < 30; step++)
        {
            using (NewDisposeScope())
            {
                var ids = arange(40, ScalarType.Int64).view(4, 10);
                optimizer.zero_grad();
                var logits = model.Forward(ids.narrow(1, 0, 9));
                var loss = nn.functional.cross_entropy(logits.reshape(-1, 50), ids.narrow(1, 1, 9).reshape(-1));
                loss.backward();
                optimizer.step();
                losses.Add(loss.item<float>());
            }
            if (step == 2)
                live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.True(losses[^1] < losses[0] / 2, $"{losses[0]} to {losses[^1]}");
    }

    [Fact]
    public void Given_what_does_not_fit_When_built_or_run_Then_the_message_names_it()
    {
        Assert.Contains("KeyValueHeads must divide Heads", Assert.Throws<ArgumentException>(() => new LlamaModel(Tiny with { KeyValueHeads = 3 }, 1, CPU)).Message);
        Assert.Contains("Layers must be at least 1, got 0", Assert.Throws<ArgumentOutOfRangeException>(() => Tiny with { Layers = 0 }).Message);
        using var scope = NewDisposeScope();
        using var model = new LlamaModel(Tiny, 1, CPU);
        Assert.Contains("MaxLength = 32", Assert.Throws<ArgumentException>(() => model.Forward(zeros([1, 33], ScalarType.Int64))).Message);
        Assert.Contains("ids must be int64 [B, T]", Assert.Throws<ArgumentException>(() => model.Forward(zeros([3], ScalarType.Int64))).Message);
        Assert.Contains("must be 16, got 15", Assert.Throws<ArgumentException>(() => model.Head(zeros(2, 15))).Message);
    }

    internal static void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected.shape, actual.shape);
        float error = (expected - actual).abs().max().item<float>();
        Assert.True(error <= tolerance, $"largest difference {error}, allowed {tolerance}");
    }

    private static void Compare(string name, double tolerance)
    {
        string folder = SharedFolder.Find($"reference/checkpoints/{name}")!;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = CausalCheckpoint.Load(folder, CPU);
        var expected = SafeTensors.Read(Path.Combine(folder, "expected.safetensors"), CPU);
        AssertClose(expected["logits"], model.Forward(expected["input_ids"]), tolerance);
    }
}
