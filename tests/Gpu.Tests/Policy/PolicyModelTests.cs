using Chorus.Gpu.Dpo;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Policy;
using Chorus.Gpu.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Policy;

[Collection(TorchCollection.Name)]
public sealed class PolicyModelTests
{
    private static readonly PolicySettings Small = new()
    {
        VocabularySize = 300,
        HiddenSize = 32,
        IntermediateSize = 48,
        Layers = 2,
        Heads = 2,
        KeyValueHeads = 1,
        MaxLength = 64,
        Pretraining = new LanguageModelTrainingSettings { BatchSize = 4, SequenceLength = 64, Steps = 60, LearningRate = 1e-2, WarmUpSteps = 5 },
        Lora = new LoraSettings { Rank = 4, Alpha = 8 },
        Sampling = new SamplingSettings { TopP = 0.95, MaxNewTokens = 16 },
        Dpo = new DpoSettings { LearningRate = 1e-2, Epochs = 8, BatchSize = 8, WarmUpSteps = 2 },
        GenerationBatch = 16,
        PromptTokens = 40,
        MaxTextTokens = 20,
        Seed = 5,
    };

    private static readonly string[] Texts = [.. Enumerable.Range(0, 40).Select(i =>
        i % 2 == 0 ? $"The house votes on motion {i}." : $"A whale swims in water {i}.")];

    private static readonly string[][] Prompts = [[Texts[0], Texts[1], Texts[2]], [Texts[3]], []];

    [Fact]
    public void Given_texts_When_pretrained_twice_Then_the_second_is_of_the_cache_and_writes_the_same()
    {
        using var folder = new TemporaryFolder();
        var told = new List<PolicyProgress>();
        using var first = PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["a"], new Told(told), default);
        using var again = PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["a"], null, default);
        using var elsewhere = PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["b"], null, default);
        Assert.Equal((false, true, false), (first.FromCache, again.FromCache, elsewhere.FromCache));
        Assert.Equal(first.Sha256, again.Sha256);
        Assert.Equal(first.Sha256, elsewhere.Sha256);
        Assert.Equal(60, told.Count(p => p.Stage == "pretrain" && p.Total == 60));
        Assert.Contains(told, p => p.Stage == "tokenizer" && p.Done == p.Total);
        var texts = Written(first, 1);
        Assert.Equal(texts, Written(again, 1));
        Assert.NotEqual(texts, Written(first, 2));
        Assert.Contains(texts, t => t.Contains("whale", StringComparison.Ordinal) || t.Contains("house", StringComparison.Ordinal));

        // Sampling and tuning do not make another base model; a seed, a text or a shape does.
        using var sampledOtherwise = PolicyModel.LoadOrPretrain(Small with { Dpo = new DpoSettings(), GenerationBatch = 4 }, Texts, CPU, folder["a"], null, default);
        Assert.True(sampledOtherwise.FromCache);
        Assert.Equal(texts, Written(sampledOtherwise, 1));
        var other = Small with { Seed = 6, Pretraining = Small.Pretraining with { Steps = 1 } };
        using var otherSeed = PolicyModel.LoadOrPretrain(other, Texts, CPU, folder["a"], null, default);
        Assert.False(otherSeed.FromCache);
        Assert.NotEqual(first.Sha256, otherSeed.Sha256);
    }

    [Fact]
    public void Given_parents_When_varied_Then_each_variation_begins_as_its_parent_does_and_the_rest_is_new()
    {
        using var folder = new TemporaryFolder();
        using var policy = PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["a"], null, default);
        var parents = policy.Generate(Prompts, 4, 3, null, default);
        Variation[] variations = [.. parents.SelectMany(p => new[] { new Variation([Texts[5]], p, 0), new Variation([Texts[5], Texts[6]], p, 0.5), new Variation([], p, 0.9) })];
        var varied = policy.Vary(variations, 9, null, default);
        Assert.Equal(variations.Length, varied.Count);
        for (var i = 0; i < varied.Count; i++)
        {
            var parent = variations[i].Parent.Tokens;
            var kept = (int)((parent.Length - (variations[i].Parent.Ended ? 1 : 0)) * variations[i].Keep);
            Assert.Equal(parent.Take(kept), varied[i].Tokens.Take(kept));
            Assert.InRange(varied[i].Tokens.Length, kept, Small.MaxTextTokens);
        }

        Assert.Equal(varied.Select(v => v.Text), policy.Vary(variations, 9, null, default).Select(v => v.Text));
        Assert.NotEqual(varied.Select(v => v.Text), policy.Vary(variations, 10, null, default).Select(v => v.Text));
        Assert.True(varied.Where((v, i) => v.Text != variations[i].Parent.Text).Count() > varied.Count / 2);
    }

    [Fact]
    public void Given_texts_of_one_kind_When_fine_tuned_Then_the_policy_writes_that_kind_and_the_base_model_is_untouched()
    {
        using var folder = new TemporaryFolder();
        using var policy = PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["a"], null, default);
        string[][] prompts = [.. Enumerable.Range(0, 12).Select(i => new[] { Texts[i], Texts[i + 12] })];
        var before = policy.Generate(prompts, 8, 3, null, default);
        var whales = before.Where(c => c.Text.Contains("whale", StringComparison.Ordinal)).ToArray();
        Assert.InRange(whales.Length, 10, 86);
        var summary = policy.FineTune(whales, 1e-2, 10, 4, null, default);
        Assert.True(summary.LastLoss < summary.FirstLoss, $"{summary}");
        var after = policy.Generate(prompts, 8, 3, null, default);
        Assert.True(after.Count(c => c.Text.Contains("whale", StringComparison.Ordinal)) > 1.2 * whales.Length, $"{whales.Length} before");
        policy.ResetAdapter();
        Assert.Equal(before.Select(c => c.Text), policy.Generate(prompts, 8, 3, null, default).Select(c => c.Text));
    }

    [Fact]
    public void Given_preferences_When_tuned_Then_they_show_in_the_texts_and_the_adapter_can_be_kept_and_reset()
    {
        using var folder = new TemporaryFolder();
        using var policy = PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["a"], null, default);
        string[][] prompts = [.. Enumerable.Range(0, 12).Select(i => new[] { Texts[i], Texts[i + 12] })];
        var before = policy.Generate(prompts, 8, 3, null, default);
        // For whales: the candidate that speaks of water most, against one that does not.
        int Likes(Candidate c) => c.Text.Count(letter => letter == 'w');
        var pairs = Enumerable.Range(0, prompts.Length).Select(p =>
        {
            var ranked = Enumerable.Range(p * 8, 8).OrderByDescending(i => Likes(before[i])).ThenBy(i => i).ToArray();
            return (p, ranked[0], ranked[^1]);
        }).ToArray();
        var told = new List<PolicyProgress>();
        var summary = policy.Tune(prompts, before, 8, pairs, 1, new Told(told), default);
        Assert.Equal(16, summary.Steps);
        Assert.Equal(16, told.Count(p => p.Stage == "tune" && p.Total == 16));
        Assert.True(summary.RewardAccuracy > 0.8 && summary.LastLoss < summary.FirstLoss, $"{summary}");
        var after = policy.Generate(prompts, 8, 3, null, default);
        Assert.True(after.Sum(Likes) > 1.2 * before.Sum(Likes), $"{before.Sum(Likes)} to {after.Sum(Likes)}");

        policy.SaveAdapter(folder["adapter"]);
        policy.ResetAdapter();
        Assert.Equal(before.Select(c => c.Text), policy.Generate(prompts, 8, 3, null, default).Select(c => c.Text));
        policy.LoadAdapter(folder["adapter"]);
        Assert.Equal(after.Select(c => c.Text), policy.Generate(prompts, 8, 3, null, default).Select(c => c.Text));
    }

    [Fact]
    public void Given_rounds_When_repeated_Then_no_tensor_is_left()
    {
        using var folder = new TemporaryFolder();
        var settings = Small with { Pretraining = Small.Pretraining with { Steps = 2 } };
        void Round(PolicyModel policy)
        {
            var candidates = policy.Generate(Prompts, 2, 1, null, default);
            policy.Tune(Prompts, candidates, 2, [(0, 0, 1), (2, 5, 4)], 1, null, default);
        }
        using (var policy = PolicyModel.LoadOrPretrain(settings, Texts, CPU, folder["a"], null, default))
            Round(policy);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var policy = PolicyModel.LoadOrPretrain(settings with { Seed = 9 }, Texts, CPU, folder["a"], null, default))
        {
            Round(policy);
            Round(policy);
        }
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Given_what_does_not_fit_When_made_or_tuned_Then_the_message_names_it()
    {
        using var folder = new TemporaryFolder();
        string Refused(PolicySettings s, params string[] texts) =>
            Assert.Throws<ArgumentException>(() => PolicyModel.LoadOrPretrain(s, texts, CPU, folder["a"], null, default)).Message;
        Assert.Contains("at most MaxLength, got 60 + 16 and 64", Refused(Small with { PromptTokens = 60 }, Texts));
        Assert.Contains("SequenceLength must be at least", Refused(Small with { Pretraining = Small.Pretraining with { SequenceLength = 32 } }, Texts));
        Assert.Contains("a text that is not empty", Refused(Small, "", " "));
        Assert.False(Directory.Exists(folder["a"]));

        using var policy = PolicyModel.LoadOrPretrain(Small with { Pretraining = Small.Pretraining with { Steps = 1 } }, Texts, CPU, folder["a"], null, default);
        var candidates = policy.Generate(Prompts, 2, 1, null, default);
        string Untunable(int samples, (int, int, int) pair) =>
            Assert.Throws<ArgumentException>(() => policy.Tune(Prompts, candidates, samples, [pair], 1, null, default)).Message;
        Assert.Contains("3 x 3, got 6", Untunable(3, (0, 0, 1)));
        Assert.Contains("candidates 2 to 3, got 4", Untunable(2, (1, 2, 4)));
    }

    [Fact]
    public void Given_a_cancelled_pretraining_Then_nothing_is_kept()
    {
        using var folder = new TemporaryFolder();
        using var cancellation = new CancellationTokenSource();
        var told = new List<PolicyProgress>();
        var cancelling = new Told(told, p =>
        {
            if (p is { Stage: "pretrain", Done: 3 })
                cancellation.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => PolicyModel.LoadOrPretrain(Small, Texts, CPU, folder["a"], cancelling, cancellation.Token));
        Assert.Equal(3, told.Count(p => p.Stage == "pretrain"));
        Assert.Empty(Directory.GetFileSystemEntries(folder["a"]));
    }

    private static string[] Written(PolicyModel policy, ulong seed) => [.. policy.Generate(Prompts, 3, seed, null, default).Select(c => c.Text)];

    private sealed class Told(List<PolicyProgress> values, Action<PolicyProgress>? then = null) : IProgress<PolicyProgress>
    {
        public void Report(PolicyProgress value)
        {
            values.Add(value);
            then?.Invoke(value);
        }
    }
}
