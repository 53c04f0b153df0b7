using Akka.TestKit.Xunit2;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Gpu.Runtime;
using static Chorus.Actors.Evaluation.EvaluationProtocol;

namespace Chorus.Actors.Tests.Evaluation;

public sealed class EvaluatorActorTests() : TestKit("akka.loglevel = OFF")
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DeviceThread _device = new("test", 1);

    [Theory]
    [InlineData("ceiling = on", "floor 30, popri 2, ceiling 33")] // client i of 23 has i mod 4 texts: 33
    [InlineData("ceiling = off", "floor 30, popri 2")]
    [InlineData("public-texts = 12", "floor 12, popri 2, ceiling 33")]
    [InlineData("texts = 20", "floor 30, popri 2, ceiling 20")]
    public async Task Given_synthetic_texts_When_measured_Then_each_arm_gets_its_own_texts_and_the_ceiling_only_where_it_is_on(string setting, string expected)
    {
        using var run = new TinyRunFolder($"chorus.evaluation.{setting}");
        RunFolder.WriteJson(run.Folder.Synthetic, new[] { "a", "b" });
        var evaluator = Sys.ActorOf(EvaluatorActor.Props(_device, StubDownstream.Factory));
        evaluator.Tell(new MeasureDownstream(run.Context.Run, run.Folder.Path), TestActor);
        var done = await ExpectMsgAsync<DownstreamDone>(Patience);
        Assert.Equal(expected, string.Join(", ", done.Arms.Select(a => $"{a.Name} {a.Texts}")));
    }

    // The stub counts two tokens in each of the 12 held-out texts.
    [Theory]
    [InlineData("topics = 3", null, "24 in 3")]
    [InlineData("topics = 0", null, "24 in 1")]
    [InlineData("topics = 2", "a b b c c c c c c c c c", "c 18, others 6")]
    [InlineData("topics = 3", "a b b c c c c c c c c c", "c 18, b 4, a 2")]
    public async Task Given_topics_When_measured_Then_every_arm_is_split_by_the_datas_labels_or_by_public_clusters(string topics, string? labels, string expected)
    {
        using var run = new TinyRunFolder($"chorus.evaluation.{topics}");
        RunFolder.WriteJson(run.Folder.Synthetic, new[] { "a", "b" });
        if (labels is not null)
            RunFolder.WriteJson(Path.Combine(run.Context.Corpus.Directory, "eval_topics.json"), labels.Split(' '));
        var evaluator = Sys.ActorOf(EvaluatorActor.Props(_device, StubDownstream.Factory));
        evaluator.Tell(new MeasureDownstream(run.Context.Run, run.Folder.Path), TestActor);
        var done = await ExpectMsgAsync<DownstreamDone>(Patience);
        Assert.All(done.Arms, arm => Assert.Equal(
            expected,
            labels is null ? $"{arm.Topics.Sum(t => t.Tokens)} in {arm.Topics.Length}" : string.Join(", ", arm.Topics.Select(t => $"{t.Topic} {t.Tokens}"))));
    }

    [Fact]
    public async Task Given_no_synthetic_texts_When_measured_Then_the_step_fails_and_names_the_file()
    {
        using var run = new TinyRunFolder();
        var evaluator = Sys.ActorOf(EvaluatorActor.Props(_device, StubDownstream.Factory));
        evaluator.Tell(new MeasureDownstream(run.Context.Run, run.Folder.Path), TestActor);
        var failed = await ExpectMsgAsync<StepFailed>(Patience);
        Assert.Contains("synthetic.json", failed.Reason, StringComparison.Ordinal);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        Shutdown(); // the actor first, then the thread that it works on
        _device.DisposeAsync().AsTask().Wait(Patience);
    }
}
