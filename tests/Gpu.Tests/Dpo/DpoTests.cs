using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Dpo;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tests.Generation;
using Chorus.Gpu.Tests.Lora;
using Chorus.Gpu.Tests.Models;
using CsCheck;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Dpo;

[Collection(TorchCollection.Name)]
public sealed class DpoTests
{
    private const int End = 0;

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

    // Log-probabilities are sums of 12 terms of about 7, each within 1e-5 of the reference's.
    [SharedFact("reference/checkpoints/llama/lora")]
    public void Given_a_step_of_PEFT_When_computed_here_Then_log_probabilities_losses_and_gradients_agree()
    {
        string folder = SharedFolder.Find("reference/checkpoints/llama")!, lora = Path.Combine(folder, "lora");
        using var scope = NewDisposeScope();
        using var model = CausalCheckpoint.Load(folder, CPU);
        using var adapter = LoraAdapter.Attach(model, LoraAdapter.ReadSettings(lora), 1);
        adapter.Load(lora);
        var expected = SafeTensors.Read(Path.Combine(lora, "dpo_expected.safetensors"), CPU);
        var gradients = SafeTensors.Read(Path.Combine(lora, "dpo_expected_grads.safetensors"), CPU);
        var pairs = Pairs(expected["chosen"], expected["rejected"], 8);
        var settings = new DpoSettings { Beta = 0.1, BatchSize = 3 };

        var reference = new DpoTrainer(model, adapter, 765).Reference(pairs, settings, default);
        var referenceChosen = tensor(reference.Select(r => r.Chosen).ToArray());
        var referenceRejected = tensor(reference.Select(r => r.Rejected).ToArray());
        LlamaModelTests.AssertClose(expected["reference_chosen_logps"], referenceChosen, 2e-4);
        LlamaModelTests.AssertClose(expected["reference_rejected_logps"], referenceRejected, 2e-4);

        using var batch = new PairBatch(pairs, settings.MaxPromptTokens, CPU);
        var (chosen, rejected) = batch.LogProbabilities(model);
        LlamaModelTests.AssertClose(expected["policy_chosen_logps"], chosen, 2e-4);
        LlamaModelTests.AssertClose(expected["policy_rejected_logps"], rejected, 2e-4);
        var loss = DpoLoss.Loss(chosen, rejected, referenceChosen, referenceRejected, 0.1, 0);
        LlamaModelTests.AssertClose(expected["loss"], loss, 1e-4);
        loss.mean().backward();
        foreach (var (name, parameter) in adapter.NamedParameters)
        {
            var theirs = gradients[name.Replace(".weight", ".default.weight", StringComparison.Ordinal)];
            LlamaModelTests.AssertClose(theirs, parameter.grad!, 1e-4 * theirs.abs().max().item<float>());
        }
    }

    [Fact]
    public void Given_random_log_probabilities_When_scored_Then_the_loss_is_the_formula() =>
        Gen.Select(Gen.Double[-50, 0], Gen.Double[-50, 0], Gen.Double[-50, 0], Gen.Double[-50, 0], Gen.Double[0.01, 1], Gen.Double[0, 0.49]).Sample(
            (pc, pr, rc, rr, beta, e) =>
            {
                using var scope = NewDisposeScope();
                double h = beta * (pc - pr - (rc - rr));
                double expected = (1 - e) * SoftPlus(-h) + e * SoftPlus(h);
                double actual = DpoLoss.Loss(tensor(new[] { pc }), tensor(new[] { pr }), tensor(new[] { rc }), tensor(new[] { rr }), beta, e).item<double>();
                return Math.Abs(actual - expected) <= 1e-9 * (1 + Math.Abs(expected));
            },
            iter: 200, threads: 1);

    [Fact]
    public void Given_random_log_probabilities_When_scored_by_IPO_Then_the_loss_is_the_expected_one_over_wrong_labels_up_to_a_constant() =>
        Gen.Select(Gen.Double[-50, 0], Gen.Double[-50, 0], Gen.Double[-50, 0], Gen.Double[-50, 0], Gen.Double[0.05, 1], Gen.Double[0, 0.49]).Sample(
            (pc, pr, rc, rr, beta, e) =>
            {
                using var scope = NewDisposeScope();
                double gained = pc - pr - (rc - rr), target = 1 / (2 * beta), constant = target * target * 4 * e * (1 - e);
                double expected = (1 - e) * Math.Pow(gained - target, 2) + e * Math.Pow(gained + target, 2) - constant;
                double actual = DpoLoss.IdentityLoss(tensor(new[] { pc }), tensor(new[] { pr }), tensor(new[] { rc }), tensor(new[] { rr }), beta, e).item<double>();
                return Math.Abs(actual - expected) <= 1e-9 * (1 + gained * gained + target * target);
            },
            iter: 200, threads: 1);

    [Fact]
    public void Given_pairs_When_tuned_by_IPO_for_long_Then_margins_end_where_the_loss_has_its_minimum()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        TextGeneratorTests.Widen(model);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 2);
        var settings = new DpoSettings { Loss = PreferenceLoss.Ipo, Beta = 0.5, LabelSmoothing = 0.1, LearningRate = 1e-2, Epochs = 60, BatchSize = 6, WarmUpSteps = 2 };
        var summary = new DpoTrainer(model, adapter, End).Train(SomePairs(6), settings, 3, null, default);

        Assert.Equal(0.64, summary.FirstLoss, 1e-3); // ((1 - 2 x 0.1) / (2 x 0.5))^2: no pair has a margin yet
        Assert.InRange(summary.RewardMargin, 0.38, 0.42); // beta x 0.8
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Given_packed_pairs_When_scored_Then_as_each_completion_alone(string family)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using CausalModel model = family == "llama"
            ? new LlamaModel(Tiny, 1, CPU)
            : new Gpt2Model(new Gpt2Config { VocabularySize = 50, HiddenSize = 16, Layers = 2, Heads = 4, MaxLength = 32 }, 1, CPU);
        TextGeneratorTests.Widen(model);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 2, TargetPattern = LoraSettings.AllLinear }, 1);
        LoraAdapterTests.Disturb(adapter);
        TokenPair[] pairs = [new([1, 2, 3, 4, 5], [6, 7, 0], [8]), new([9], [1, 0], [2, 3, 4, 5, 6, 0]), new([4, 4], [7], [7])];
        using var batch = new PairBatch(pairs, maxPromptTokens: 4, CPU);
        var (chosen, rejected) = batch.LogProbabilities(model);
        for (int i = 0; i < pairs.Length; i++)
        {
            int[] prompt = pairs[i].Prompt[Math.Max(0, pairs[i].Prompt.Length - 4)..];
            Assert.Equal(Alone(model, prompt, pairs[i].Chosen), chosen[i].item<float>(), 1e-4);
            Assert.Equal(Alone(model, prompt, pairs[i].Rejected), rejected[i].item<float>(), 1e-4);
        }
    }

    [Fact]
    public void Given_pairs_When_tuned_Then_the_margin_grows_the_base_stays_and_no_tensor_is_left()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        TextGeneratorTests.Widen(model);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 2);
        var pairs = SomePairs(20);
        var settings = new DpoSettings { LearningRate = 2e-2, Epochs = 6, BatchSize = 8, WarmUpSteps = 2 };
        float[][] weights = [.. model.parameters().Select(p => p.detach().data<float>().ToArray())];
        var trainer = new DpoTrainer(model, adapter, End);
        trainer.Train(pairs, settings with { Epochs = 1 }, 1, null, default);
        adapter.Reset(2);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var summary = trainer.Train(pairs, settings, 1, null, default);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal(18, summary.Steps);
        Assert.Equal(Math.Log(2), summary.FirstLoss, 1e-6);
        Assert.True(summary.LastLoss < 0.6, $"{summary}");
        Assert.True(summary.RewardMargin > 0.1 && summary.RewardAccuracy > 0.8, $"{summary}");
        Assert.Equal(weights, [.. model.parameters().Select(p => p.detach().data<float>().ToArray())]);
        Assert.True(adapter.Enabled);
    }

    [Fact]
    public void Given_one_seed_When_tuned_twice_Then_same_bits_and_another_seed_gives_others()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 2);
        var trainer = new DpoTrainer(model, adapter, End);
        var settings = new DpoSettings { Epochs = 2, BatchSize = 3 };
        var pairs = SomePairs(10);
        float[][] Tuned(ulong seed)
        {
            adapter.Reset(2);
            trainer.Train(pairs, settings, seed, null, default);
            return LoraAdapterTests.Values(adapter);
        }
        var first = Tuned(1);
        Assert.Equal(first, Tuned(1));
        Assert.NotEqual(first, Tuned(2));
    }

    [Fact]
    public void Given_a_step_in_parts_When_tuned_Then_nearly_the_same_as_at_once()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        TextGeneratorTests.Widen(model);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 2);
        var trainer = new DpoTrainer(model, adapter, End);
        var settings = new DpoSettings { Epochs = 2, BatchSize = 7, LearningRate = 1e-3, LabelSmoothing = 0.1 };
        (DpoSummary Summary, float[][] Values) Tuned(int parts)
        {
            adapter.Reset(2);
            return (trainer.Train(SomePairs(20), settings with { GradientAccumulation = parts }, 1, null, default), LoraAdapterTests.Values(adapter));
        }
        var (whole, parts) = (Tuned(1), Tuned(3));
        Assert.Equal(whole.Summary.Steps, parts.Summary.Steps);
        Assert.Equal(whole.Summary.LastLoss, parts.Summary.LastLoss, 1e-5);
        Assert.Equal(whole.Summary.RewardMargin, parts.Summary.RewardMargin, 1e-5);
        foreach (var (a, b) in whole.Values.Zip(parts.Values))
            Assert.All(a.Zip(b), p => Assert.Equal(p.First, p.Second, 2e-4f)); // Adam divides by tiny gradients' size, so sums in another order show
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.3, 2)]
    public void Given_a_tuning_that_is_stopped_When_gone_on_with_Then_the_same_bits_as_one_that_was_not(double dropout, int parts)
    {
        using var folder = new TemporaryFolder();
        using var model = new LlamaModel(Tiny, 1, CPU);
        TextGeneratorTests.Widen(model);
        var settings = new DpoSettings { Epochs = 3, BatchSize = 3, WarmUpSteps = 4, LearningRate = 1e-2, GradientAccumulation = parts };
        var pairs = SomePairs(10); // 4 steps an epoch, 12 in all
        float[][] uninterrupted;
        DpoSummary expected;
        var lora = new LoraSettings { Rank = 4, Dropout = dropout };
        using (var adapter = LoraAdapter.Attach(model, lora, 2))
        {
            expected = new DpoTrainer(model, adapter, End).Train(pairs, settings, 1, null, default);
            uninterrupted = LoraAdapterTests.Values(adapter);
        }
        foreach (int stop in (int[])[3, 6, 8]) // within an epoch, past a saved step, and at an epoch's end
        {
            var resume = new DpoResume(folder[$"state-{stop}"], EverySteps: 5);
            using (var adapter = LoraAdapter.Attach(model, lora, 2))
            using (var cancellation = new CancellationTokenSource())
            {
                var cancelling = new Relay(step =>
                {
                    if (step == stop)
                        cancellation.Cancel();
                });
                Assert.ThrowsAny<OperationCanceledException>(() => new DpoTrainer(model, adapter, End).Train(pairs, settings, 1, cancelling, cancellation.Token, resume));
            }
            using (var adapter = LoraAdapter.Attach(model, lora, 77)) // whatever the adapter is, the state's takes its place
            {
                var told = new List<int>();
                var summary = new DpoTrainer(model, adapter, End).Train(pairs, settings, 1, new Relay(told.Add), default, resume);
                Assert.Equal(stop + 1, told[0]);
                Assert.Equal(expected, summary);
                Assert.Equal(uninterrupted, LoraAdapterTests.Values(adapter));
                adapter.Reset(5);
                Assert.Equal(expected, new DpoTrainer(model, adapter, End).Train(pairs, settings, 1, null, default, resume)); // done already
                Assert.Equal(uninterrupted, LoraAdapterTests.Values(adapter));
                var e = Assert.Throws<InvalidDataException>(() => new DpoTrainer(model, adapter, End).Train(pairs, settings, 2, null, default, resume));
                Assert.Contains("of another tuning", e.Message);
            }
        }
    }

    [Fact]
    public void Given_warm_up_and_clipping_When_tuned_Then_the_first_step_is_as_long_as_they_say()
    {
        // Adam's first step moves each weight by the learning rate, whatever the gradient, where that is far above its epsilon.
        using var model = new LlamaModel(Tiny, 1, CPU);
        TextGeneratorTests.Widen(model);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 2);
        float Moved(DpoSettings s)
        {
            adapter.Reset(2);
            new DpoTrainer(model, adapter, End).Train(SomePairs(3), s, 1, null, default);
            return LoraAdapterTests.Values(adapter)[1].Max(Math.Abs); // B starts at zero
        }
        var settings = new DpoSettings { LearningRate = 1e-2, BatchSize = 3, WarmUpSteps = 0 };
        Assert.Equal(1e-2f, Moved(settings), 1e-5f);
        Assert.Equal(1e-3f, Moved(settings with { WarmUpSteps = 10 }), 1e-5f);
        // Cut to a norm far below Adam's epsilon of 1e-8, the gradient decides the step.
        Assert.True(Moved(settings with { MaxGradientNorm = 1e-10 }) <= 1e-2f * 0.01f);
    }

    [Fact]
    public void Given_no_pairs_or_wrong_ones_When_tuned_Then_nothing_or_a_message()
    {
        using var model = new LlamaModel(Tiny, 1, CPU);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 4 }, 2);
        var trainer = new DpoTrainer(model, adapter, End);
        Assert.Equal(new DpoSummary(0, 0, 0, 0, 0), trainer.Train([], new DpoSettings(), 1, null, default));
        string Message(TokenPair pair) => Assert.Throws<ArgumentException>(() => trainer.Train([pair], new DpoSettings(), 1, null, default)).Message;
        Assert.Contains("at least one token each, got 1, 0, 1", Message(new([1], [], [2])));
        Assert.Contains("MaxLength + 1 = 33", Message(new(new int[30], [1, 2, 3, 4], [5])));
        Assert.Contains("got 50", Message(new([50], [1], [2])));
        Assert.Contains("end token 0 only as its last", Message(new([1], [0, 1], [2])));
    }

    private sealed class Relay(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }

    private static double SoftPlus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private static float Alone(CausalModel model, int[] prompt, int[] completion)
    {
        using var scope = NewDisposeScope();
        long[] all = [.. prompt.Concat(completion).Select(id => (long)id)];
        var logits = model.Forward(tensor(all[..^1]).unsqueeze(0))[0].log_softmax(-1);
        return Enumerable.Range(prompt.Length, completion.Length).Sum(t => logits[t - 1, all[t]].item<float>());
    }

    private static TokenPair[] Pairs(Tensor chosen, Tensor rejected, int prompt)
    {
        int[] Row(Tensor x, int b) => [.. x[b].data<long>().ToArray().Select(id => (int)id)];
        return [.. Enumerable.Range(0, (int)chosen.shape[0]).Select(b => new TokenPair(Row(chosen, b)[..prompt], Row(chosen, b)[prompt..], Row(rejected, b)[prompt..]))];
    }

    // The chosen completion is made of small ids, the rejected of large ones: something an adapter can learn.
    private static TokenPair[] SomePairs(int count)
    {
        var random = new Random(3);
        int[] Ids(int length, int from, int to) => [.. Enumerable.Range(0, length).Select(_ => random.Next(from, to))];
        return [.. Enumerable.Range(0, count).Select(_ => new TokenPair(Ids(random.Next(1, 9), 1, 50), [.. Ids(random.Next(1, 8), 1, 25), End], Ids(random.Next(1, 8), 25, 50)))];
    }
}
