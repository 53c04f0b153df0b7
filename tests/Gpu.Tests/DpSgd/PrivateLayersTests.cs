using Chorus.Gpu.DpSgd;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>What is refused, and how a failure inside a backward pass comes out.</summary>
[Collection(TorchCollection.Name)]
public sealed class PrivateLayersTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Given_a_layer_that_mixes_samples_When_checked_Then_it_is_refused_by_name()
    {
        using var model = TinyDpModels.New("llama");
        ((Gpu.Models.LlamaModel)model).Layers[1].register_module("mixing", nn.BatchNorm1d(4));
        Assert.Contains("mixing (BatchNorm1d) mixes the samples of a batch", Refusal(model), StringComparison.Ordinal);
        using var other = TinyDpModels.New("gpt2");
        other.register_module("extra", nn.Sequential(nn.Linear(3, 3))); // it shows nobody what is in it
        Assert.Contains("extra (Sequential) has no rule", Refusal(other), StringComparison.Ordinal);

        static string Refusal(Gpu.Models.CausalModel model) =>
            Assert.Throws<NotSupportedException>(() => new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused)).Message;
    }

    [Fact]
    public void Given_a_parameter_without_a_rule_When_to_be_trained_Then_it_is_refused_by_name()
    {
        using var model = TinyDpModels.New("llama");
        model.register_parameter("stray", new TorchSharp.Modules.Parameter(zeros([3])));
        Assert.Contains("stray is to be trained, but no rule", Assert.Throws<NotSupportedException>(() => new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused)).Message, StringComparison.Ordinal);
        Assert.All(model.Projections, p => Assert.Null(p.Projection.Rule)); // and nothing is left hanging on the model
        Assert.Null(model.EmbeddingRule);
    }

    [Fact]
    public void Given_nothing_to_train_When_begun_Then_it_says_so()
    {
        using var model = TinyDpModels.New("llama");
        TinyDpModels.Freeze(model.parameters());
        Assert.Contains("nothing to train", Assert.Throws<ArgumentException>(() => new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_rule_that_fails_in_the_backward_pass_When_it_is_over_Then_the_failure_names_the_layer()
    {
        // An exception that left a backward function would end the process.
        using var model = TinyDpModels.New("llama");
        using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused, new FailingKernels());
        var e = Assert.Throws<InvalidOperationException>(() => TinyDpModels.Sums(source, model, TinyDpModels.Samples));
        Assert.Contains("lm_head: out of kernels", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_loss_that_leaves_the_embedding_out_When_head_and_embedding_are_one_Then_it_says_so()
    {
        using var model = TinyDpModels.New("gpt2");
        using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused);
        Assert.Contains("waits for one", Assert.Throws<InvalidOperationException>(() => source.Accumulate(2, null, () => model.Head(ones([2, 3, 12], ScalarType.Float64)).sum([1L, 2L]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_batch_of_another_size_When_run_Then_samples_cannot_be_told_apart_and_it_says_so()
    {
        using var model = TinyDpModels.New("llama");
        using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused);
        var ids = zeros([2, 3], ScalarType.Int64);
        Assert.Contains("3 samples as its first dimension", Assert.Throws<InvalidOperationException>(() => source.Accumulate(3, null, () => model.Forward(ids).sum([1L, 2L]))).Message, StringComparison.Ordinal);
        Assert.Contains("no micro-batch was started", Assert.Throws<InvalidOperationException>(() => model.Forward(ids)).Message, StringComparison.Ordinal);
        using (no_grad())
            Assert.Equal([2, 3, TinyDpModels.Vocabulary], model.Forward(ids).shape); // without gradients the model is as it was
    }

    [Fact]
    public void Given_ids_that_are_a_window_of_a_wider_tensor_When_summed_Then_it_is_as_if_they_were_their_own()
    {
        using var model = TinyDpModels.New("gpt2");
        using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused);
        var wide = randint(0, TinyDpModels.Vocabulary, [3, 9], ScalarType.Int64);
        Dictionary<string, Tensor> Sums(Tensor ids)
        {
            source.Clear();
            source.Accumulate(3, null, () => model.Forward(ids).square().sum([1L, 2L]));
            return source.Parameters.ToDictionary(p => p.Name, p => p.Gradient!.clone());
        }
        TinyDpModels.AssertClose(Sums(wide.narrow(1, 2, 5).contiguous()), Sums(wide.narrow(1, 2, 5)), 1e-12);
    }

    [Fact]
    public void Given_a_model_under_rules_When_they_are_taken_off_Then_it_is_the_model_again()
    {
        using var model = TinyDpModels.New("gpt2");
        var ids = tensor(new long[] { 1, 2, 3, 4 }, [1, 4]);
        var before = model.Forward(ids).detach();
        using (new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused))
        {
            using var noGrad = no_grad();
            Assert.True(before.equal(model.Forward(ids)).all().item<bool>());
        }
        Assert.True(before.equal(model.Forward(ids)).all().item<bool>());
    }

    [Theory]
    [InlineData(DpMethod.Ghost, ClippingKind.PerLayer, "clipping must be Flat")]
    [InlineData(DpMethod.None, ClippingKind.PerLayer, "does not clip")]
    public void Given_a_method_that_cannot_clip_so_When_begun_Then_it_says_why(DpMethod method, ClippingKind kind, string part)
    {
        using var model = TinyDpModels.New("llama");
        Assert.Contains(part, Assert.Throws<ArgumentException>(() => new PrivateGradients(model, null, new ClippingSettings { Kind = kind }, method)).Message, StringComparison.Ordinal);
    }

    private sealed class FailingKernels : TorchDpKernels
    {
        public override Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> outputGradients, bool bias, Tensor? lengths, NormMethod method) => throw new InvalidOperationException("out of kernels");
    }
}
