using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Tests.Runs;

/// <summary>Runs whose policy and downstream model are the reference checkpoints.</summary>
[Collection("whole runs")]
public sealed class RunCheckpointsTests : IDisposable
{
    private const string Reference = "reference/checkpoints";

    private readonly TemporaryFolder _folder = new();

    public RunCheckpointsTests() => TinyCorpus.Write(_folder.In("data"), TestRun.Clients);

    public void Dispose() => _folder.Dispose();

    [SharedFact(Reference)]
    public Task Given_a_Llama_as_policy_and_downstream_model_When_used_Then_it_writes_learns_and_is_measured() => UseAsync("llama", "float32");

    [SharedFact(Reference)]
    public Task Given_a_Gpt2_as_policy_and_downstream_model_When_used_Then_it_writes_learns_and_is_measured() => UseAsync("gpt2", "float32");

    [SharedFact(Reference)]
    public Task Given_a_policy_of_half_precision_When_used_Then_it_writes_learns_and_is_measured() => UseAsync("llama-bf16", "auto");

    private async Task UseAsync(string name, string type)
    {
        using var context = RunPreparation.New(Settings(name, $"chorus.policy.dtype = {type}, chorus.downstream.dtype = {type}"), _folder.In("run"), null, CancellationToken.None);
        var settings = context.Settings;
        Assert.Matches("^[0-9a-f]{64}$", settings.Policy.Checkpoint.Sha256);
        Assert.Equal(settings.Policy.Checkpoint, RunSettings.Load(context.Folder.Settings).Policy.Checkpoint);
        await using var device = new DeviceThread("test", 2);
        await device.Run(() =>
        {
            static void Ignore(long done, long total, string detail)
            {
            }
            var texts = context.Corpus.Initial;
            using var policy = TorchPolicy.Create(settings, texts, (_, _, _, _) => { }, CancellationToken.None);
            policy.LoadAdapter(null);
            string[][] prompts = [[texts[0]], [texts[1]], []];
            var candidates = policy.Generate(prompts, 3, 4, Ignore, CancellationToken.None);
            Assert.Equal(9, candidates.Count);
            Assert.All(candidates, c => Assert.InRange(c.Tokens.Length, 1, 16));
            Assert.All(candidates, c => Assert.DoesNotContain("\n\n", c.Text, StringComparison.Ordinal));
            Assert.True(candidates.Select(c => c.Text).Distinct().Count() > 6);
            var summary = policy.Tune(prompts, candidates, 3, [new PreferencePair(0, 0, 1), new PreferencePair(1, 5, 4)], 1, Ignore, CancellationToken.None);
            Assert.Equal(Math.Log(2), summary.FirstLoss, 1e-3);
            policy.SaveAdapter(_folder.In("adapter"));
            var after = policy.Generate(prompts, 3, 4, Ignore, CancellationToken.None);
            policy.LoadAdapter(null);
            Assert.Equal(candidates.Select(c => c.Text), policy.Generate(prompts, 3, 4, Ignore, CancellationToken.None).Select(c => c.Text));
            policy.LoadAdapter(_folder.In("adapter"));
            Assert.Equal(after.Select(c => c.Text), policy.Generate(prompts, 3, 4, Ignore, CancellationToken.None).Select(c => c.Text));

            using var downstream = TorchDownstream.Create(settings, texts, CancellationToken.None);
            var heldOut = new HeldOutTexts(context.Corpus.Eval, HeldOutTopics.None(context.Corpus.Eval.Length));
            var floor = downstream.Floor(texts, heldOut, Ignore, CancellationToken.None);
            Assert.True(floor.TestTokens > 0);
            var arm = downstream.From("popri", [.. texts.Skip(5).Take(10)], heldOut, Ignore, CancellationToken.None);
            Assert.Equal(floor.TestTokens, arm.TestTokens);
        });
    }

    [SharedFact(Reference)]
    public void Given_a_checkpoint_that_changed_When_resumed_Then_it_is_refused()
    {
        var copy = _folder.In("copy");
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.GetFiles(Path.Combine(SharedFolder.Find(Reference)!, "gpt2")))
            File.WriteAllBytes(Path.Combine(copy, Path.GetFileName(file)), File.ReadAllBytes(file)); // not Copy: that would be read-only
        var settings = TestRun.Settings(_folder.In("data"), $"chorus.policy {{ checkpoint = \"{copy}\", text-tokens = 16, model.context = 64 }}");
        RunPreparation.New(settings, _folder.In("run"), null, CancellationToken.None).Dispose();
        RunPreparation.Resume(_folder.In("run")).Dispose();
        File.AppendAllText(Path.Combine(copy, "config.json"), " ");
        var e = Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run")));
        Assert.Contains("is not the checkpoint of this run", e.Message, StringComparison.Ordinal);
    }

    [SharedTheory(Reference)]
    [InlineData("nowhere", "", "chorus.policy.checkpoint: ", "holds no config.json")]
    [InlineData("minilm-st", "", "chorus.policy.checkpoint: ", "model_type must be llama or gpt2, found bert")]
    [InlineData("gpt2", "chorus.policy.model.context = 256", "chorus.policy.model.context must be at most 128", "got \"256\"")]
    [InlineData("gpt2", "chorus.policy.sha256 = 0000000000000000000000000000000000000000000000000000000000000000", "is not the checkpoint of this run", "")]
    public void Given_a_checkpoint_that_does_not_fit_When_prepared_Then_the_key_is_named_and_no_folder_made(string name, string more, string part, string another)
    {
        var e = Assert.Throws<SettingsException>(() => RunPreparation.New(Settings(name, more), _folder.In("run"), null, CancellationToken.None));
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
        Assert.Contains(another, e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.In("run")));
    }

    private RunSettings Settings(string name, string more)
    {
        var folder = Path.Combine(SharedFolder.Find(Reference)!, name);
        return TestRun.Settings(
            _folder.In("data"),
            $$"""
            chorus.policy { device = cpu, checkpoint = "{{folder}}", text-tokens = 16, model.context = 64, dpo.warm-up-steps = 0 }
            chorus.downstream.checkpoint = "{{folder}}"
            chorus.evaluation.floor-epochs = 1
            chorus.evaluation.epochs = 1
            {{string.Join("\n", more.Split(", "))}}
            """);
    }
}
