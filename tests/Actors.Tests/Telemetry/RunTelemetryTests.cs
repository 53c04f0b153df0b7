using System.Collections.Concurrent;
using System.Diagnostics;
using Chorus.Actors.Runs;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Telemetry;

[Collection("whole runs")]
public sealed class RunTelemetryTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_a_run_When_listened_to_Then_metrics_and_spans_tell_what_its_report_tells()
    {
        using var context = RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ChorusMetrics.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.GetTagItem("chorus.run") as string == context.Run)
                    spans.Enqueue(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using var measured = new Measurements(context.Run);
        var ended = await new TestRun().RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);

        Assert.Equal(2, measured.Of("chorus.rounds").Sum());
        Assert.Equal([1, 2], measured.Of("chorus.round").Distinct());
        Assert.All(measured.Of("chorus.clients.sampled"), v => Assert.Equal(TestRun.Clients, v));
        Assert.Equal(TestRun.Clients, measured.Of("chorus.clients.counted")[^1]);
        Assert.Equal(0, measured.Of("chorus.clients.lost").Sum());
        Assert.Equal(2 * (TestRun.Clients - 6), measured.Of("chorus.votes", "kind=cast").Sum());
        Assert.Equal(2 * 6, measured.Of("chorus.votes", "kind=no-text").Sum()); // client i has i mod 4 texts
        Assert.Equal(8, measured.Of("chorus.privacy.epsilon.budget")[^1]);
        Assert.Equal((await Journal.SpendAsync(context)).Epsilon, measured.Of("chorus.privacy.epsilon.spent")[^1]);
        Assert.Equal(0, measured.Of("chorus.blocks", "state=pending")[^1]);
        Assert.Equal(2, measured.Of("chorus.phase.duration", "phase=feedback").Length);
        Assert.Equal([1, 0, 1, 0], measured.Of("chorus.phase.active", "phase=feedback"));

        var run = Assert.Single(spans, s => s.OperationName == "run");
        var rounds = spans.Where(s => s.OperationName == "round").ToArray();
        Assert.Equal([1, 2], rounds.Select(r => r.GetTagItem("chorus.round")));
        Assert.All(rounds, r => Assert.Equal(run.SpanId, r.ParentSpanId));
        Assert.All(rounds, r => Assert.Equal(
            ["generate", "feedback", "learn", "evaluate"], spans.Where(s => s.ParentSpanId == r.SpanId).OrderBy(s => s.StartTimeUtc).Select(s => s.OperationName)));
        Assert.Equal(["downstream", "report", "start", "synthesize"], spans.Where(s => s.ParentSpanId == run.SpanId && s != run && s.OperationName != "round").Select(s => s.OperationName).Order());
        Assert.All(spans, s => Assert.Equal(ActivityStatusCode.Unset, s.Status));
    }
}
