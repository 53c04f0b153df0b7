using System.Collections.Concurrent;
using Akka.Actor;
using Chorus.Actors.Hosting;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Watch;

namespace Chorus.Actors.Tests.Watch;

/// <summary>The watcher over real runs.</summary>
[Collection("whole runs")]
public sealed class RunWatchActorTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_three_nodes_and_somebody_who_looks_When_the_run_is_over_Then_its_views_told_all_of_it_and_its_bytes_are_the_same()
    {
        var views = await WatchAsync(nodes: 3, pages: 1);

        var last = views[^1];
        Assert.Equal(RunStatus.Done, last.Status);
        Assert.Equal(2, last.History.RoundsDone);
        Assert.Equal(new BudgetBought(8, 2), last.Budget);
        Assert.Contains(views, v => v.Nodes.Count(n => n.Status == NodeStatus.Up) == 3);
        Assert.Contains(views, v => v.AtWork == (RunStep.CollectFeedback, 1));
        Assert.Contains(views, v => v.Texts is { Round: 1, Pairs.Length: > 0, SamePrompts: false });
        Assert.True(last.Texts is { SamePrompts: true });
        Assert.Equal(3, last.Nodes.Length);
        Assert.All(last.Nodes.SelectMany(n => n.Roles), role => Assert.Contains(role, NodeOptions.KnownRoles)); // and not the one that names the run
        Assert.Equal("the run is done", last.History.Log[^1].Text);
        // At the end everything comes at once: no view says that it is over and shows less than all.
        Assert.All(views.Where(v => v.Ended is not null), v => Assert.NotNull(v.History.State.Finished));
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(new RunFolder(_folder.In("run"))));
    }

    [Fact]
    public async Task Given_nobody_who_looks_When_the_run_is_over_Then_only_its_end_is_read()
    {
        var views = await WatchAsync(nodes: 1, pages: 0);

        Assert.All(views.Where(v => v.Ended is null), v => Assert.Equal(0, v.History.RoundsDone));
        Assert.All(views.Where(v => v.Ended is null), v => Assert.Null(v.Texts));
        Assert.Equal(2, views[^1].History.RoundsDone);
        Assert.All(views, v => Assert.Empty(v.Votes));
    }

    private async Task<RunView[]> WatchAsync(int nodes, int pages)
    {
        using var context = RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
        var views = new ConcurrentQueue<RunView>();
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var outcome = await new TestRun
        {
            Nodes = nodes,
            OnStart = node =>
            {
                var watch = node.System.ActorOf(RunWatchActor.Props(RunFacts.Of(context), Take, TimeProvider.System), "watch");
                watch.Tell(new RunWatchProtocol.Watched(pages));
            },
            BeforeEnd = () => ended.Task.WaitAsync(TimeSpan.FromSeconds(30)),
        }.RunAsync(context);
        Assert.True(outcome is { Outcome: RunOutcome.Done }, outcome?.Message);
        return [.. views];

        void Take(RunView view)
        {
            views.Enqueue(view);
            if (view.Ended is not null)
                ended.TrySetResult();
        }
    }
}
