using System.Collections.Immutable;
using System.Text.Json;
using Akka.Actor;
using Chorus.Actors.Hosting;
using Chorus.Actors.Methods;
using Chorus.Actors.Runs;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Actors.Audit;

/// <summary>
/// Drives a run with canaries for clients through the very actors that any run goes through, and scores what it released.
/// The run's own sampler flips each canary's coin: a Poisson cohort of probability 1/2.
/// </summary>
public static class AuditRun
{
    /// <summary>A cluster of one process needs less patience than one of many machines.</summary>
    private const string Hocon = """
        akka.cluster.gossip-interval = 200ms
        akka.cluster.leader-actions-interval = 200ms
        akka.cluster.singleton.hand-over-retry-interval = 300ms
        akka.cluster.singleton-proxy.singleton-identification-interval = 300ms
        """;

    /// <summary>Runs to the end and scores every canary in every round.</summary>
    /// <param name="plan">What to run.</param>
    /// <param name="folder">An empty folder for the run's own files, which the caller removes.</param>
    /// <param name="logLevel">Akka's log level.</param>
    /// <param name="progress">Told how many rounds are done.</param>
    /// <returns>[Rounds][Canaries].</returns>
    /// <exception cref="AuditFailedException">The run did not end well, or did not count whom its sampler drew.</exception>
    public static async Task<ImmutableArray<ImmutableArray<CanaryScore>>> ScoresAsync(
        AuditPlan plan, string folder, string logLevel, IProgress<int>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(plan);
        // The encoder is fitted on the public texts alone, and its weights scale a one-feature text away: any texts do.
        string[] publicTexts = [.. Enumerable.Range(0, FederatedCorpus.MinimumTexts).Select(i => $"public text {i}")];
        var data = Path.Combine(folder, "data");
        var settings = plan.Settings(data);
        var canaries = PopriCanaries.Choose(HashedNgramEncoder.Fit(publicTexts, settings.Encoder.Dimension!.Value), plan.Candidates, RoundWork.ScorerOf(settings));
        Write(data, publicTexts, canaries.Texts.Take(plan.Canaries));
        using var prepared = RunPreparation.New(settings, Path.Combine(folder, "run"), null, ct);
        var context = prepared with { Mechanism = plan.Mechanism, CohortSeed = plan.Seed };
        await RunAsync(plan, context, canaries, logLevel, progress, ct);
        return [.. Enumerable.Range(1, plan.Rounds).Select(round => ScoresOf(plan, context, canaries, round))];
    }

    private static ImmutableArray<CanaryScore> ScoresOf(AuditPlan plan, RunContext context, PopriCanaries canaries, int round)
    {
        var release = RunFolder.ReadJson<Release>(context.Folder.Release(round));
        var cohort = ClientSampler.Draw(context.Settings.Clients.Cohort, context.Clients, plan.Seed, round);
        if (release.ClientsSha256 != cohort.Sha256)
            throw new AuditFailedException($"round {round} did not count the clients that its sampler drew: nothing can be said of who was in");
        var scores = canaries.Scores(FixedPointGrid.ToDouble(release.Values.AsSpan()));
        return [.. Enumerable.Range(0, context.Clients).Select(i => new CanaryScore(scores[i], cohort.Contains(i)))];
    }

    private static async Task RunAsync(
        AuditPlan plan, RunContext context, PopriCanaries canaries, string logLevel, IProgress<int>? progress, CancellationToken ct)
    {
        var options = new NodeOptions
        {
            Roles = plan.Nodes == 1 ? NodeOptions.KnownRoles : ["coordinator", "policy", "trainer"],
            MinimumNodes = plan.Nodes,
            LogLevel = logLevel,
            Overrides = Hocon,
            Run = context,
            Policy = (_, _, _, _) => new AuditPolicy(canaries.Texts),
            Downstream = (_, _, _) => throw new InvalidOperationException("an audit trains no downstream model"),
            Scorer = plan.Scorer,
            Gate = plan.Gate,
            NeedsTorch = false,
        };
        var ended = new TaskCompletionSource<RunProtocol.RunEnded>(TaskCreationOptions.RunContinuationsAsynchronously);
        List<ChorusNode> nodes = [];
        try
        {
            var first = await ChorusNode.StartAsync(options);
            nodes.Add(first);
            var listener = first.System.ActorOf(Props.CreateBy(new ListenerProducer(ended, progress)));
            first.System.EventStream.Subscribe(listener, typeof(RunProtocol.RunEnded));
            first.System.EventStream.Subscribe(listener, typeof(RunProtocol.RoundReported));
            for (var i = 1; i < plan.Nodes; i++)
                nodes.Add(await ChorusNode.StartAsync(options with { Roles = ["client"], SeedNodes = [first.Address], Run = null }));
            var end = await ended.Task.WaitAsync(ct);
            if (end.Outcome != RunOutcome.Done)
                throw new AuditFailedException($"the audited run ended early: {end.Message}");
        }
        finally
        {
            await Task.WhenAll(nodes.AsEnumerable().Reverse().Select(n => n.DisposeAsync().AsTask()));
        }
    }

    private static void Write(string data, IReadOnlyList<string> publicTexts, IEnumerable<string> canaries)
    {
        var clients = canaries.Select((text, i) => (Id: $"canary-{i:000}", Texts: Enumerable.Repeat(text, PopriCanaries.CopiesOfText).ToArray()))
            .ToDictionary(c => c.Id, c => c.Texts);
        RunFolder.WriteText(Path.Combine(data, FederatedCorpus.ClientsFile), JsonSerializer.Serialize(clients));
        RunFolder.WriteText(Path.Combine(data, FederatedCorpus.EvalFile), JsonSerializer.Serialize(publicTexts));
        RunFolder.WriteText(Path.Combine(data, FederatedCorpus.InitialFile), JsonSerializer.Serialize(publicTexts));
    }

    private sealed class ListenerProducer(TaskCompletionSource<RunProtocol.RunEnded> ended, IProgress<int>? progress) : IIndirectActorProducer
    {
        public Type ActorType => typeof(Listener);

        public ActorBase Produce() => new Listener(ended, progress);

        public void Release(ActorBase actor)
        {
        }
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(TaskCompletionSource<RunProtocol.RunEnded> ended, IProgress<int>? progress)
        {
            Receive<RunProtocol.RunEnded>(e => { ended.TrySetResult(e); });
            Receive<RunProtocol.RoundReported>(r => progress?.Report(r.Round));
        }
    }
}
