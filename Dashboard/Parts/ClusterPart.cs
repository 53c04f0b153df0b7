using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>The nodes: as a picture, and the same as a table.</summary>
internal static class ClusterPart
{
    private const int Seconds = 120;

    /// <summary>Of the rounds that are done.</summary>
    public static Html VotesByRound(RunView view) => RoundCharts.Votes(
        [.. view.History.State.Rounds.Where(r => r.Release is { FeedbackSeconds: > 0 }).Select(r => (r.Round, r.Release!.ClientsCounted / r.Release.FeedbackSeconds))],
        view.Facts.Rounds);

    public static Html Votes(RunView view)
    {
        var now = view.Votes is [.., var v] ? v : 0;
        var most = view.Votes.DefaultIfEmpty(0).Max();
        return Html.Of($"""
            {Spark.Draw("spark-votes", $"Votes a second over the last two minutes: {Words.Count((long)now)} now, {Words.Count((long)most)} at most", view.Votes, Seconds)}
            <p class="figures"><b>{Words.Count((long)Math.Round(now))}</b> now · {Words.Count((long)Math.Round(most))} at most{Revoked(view)}</p>
            """);
    }

    public static Html Picture(RunView view)
    {
        if (view.Nodes.IsEmpty)
            return Html.Of($"""<p class="nothing">{(view.Live ? "No node has joined yet." : "The nodes are known only while the run goes on.")}</p>""");
        var all = view.Nodes.Sum(n => n.VotesPerSecond);
        var driver = view.Nodes.FirstOrDefault(n => n.Roles.Contains("coordinator"));
        DrawnNode Drawn(NodeView n) => new(n.Address, string.Join(", ", Shown(n)), Note(n), n.Status is NodeStatus.Unreachable ? null : n.Vitals?.CpuShare, all > 0 ? n.VotesPerSecond / all : 0, Look(n.Status));
        var unwell = view.Nodes.Count(n => n.Status is NodeStatus.Unreachable);
        var up = view.Nodes.Count(n => n.Status is NodeStatus.Up);
        return ClusterPicture.Draw(
            "cluster-picture",
            $"{Words.Counted(up, "node")} up{(unwell > 0 ? $", {Words.Count(unwell)} unreachable: {string.Join(", ", view.Nodes.Where(n => n.Status is NodeStatus.Unreachable).Select(n => n.Address))}" : "")}",
            driver is null ? null : Drawn(driver),
            [.. view.Nodes.Where(n => n != driver).Select(Drawn)]);
    }

    public static Html Table(RunView view) => view.Nodes.IsEmpty ? Html.Of($"""<p class="nothing">No node.</p>""") : Html.Of($"""
        <table>
        <thead><tr><th scope="col">node</th><th scope="col">roles</th><th scope="col">status</th><th scope="col">load</th><th scope="col">memory</th><th scope="col">votes/s</th><th scope="col">messages waiting</th><th scope="col">shards</th><th scope="col">blocks</th></tr></thead>
        <tbody>
        {Html.Join(view.Nodes.Select(Row))}
        </tbody></table>
        """);

    private static Html Row(NodeView n) => Html.Of($"""
        <tr><th scope="row">{n.Address}</th><td>{string.Join(", ", n.Roles)}</td><td>{Word(n.Status)}</td><td>{Words.Percent(n.Vitals?.CpuShare, 0)}</td><td>{(n.Vitals is { } v ? Bytes(v.MemoryBytes) : Words.Unknown)}</td><td>{Words.Count((long)Math.Round(n.VotesPerSecond))}</td><td>{Words.Count(Waiting(n))}</td><td>{n.Vitals?.Shards ?? 0}</td><td>{n.Vitals?.Blocks ?? 0}</td></tr>
        """);

    private static string Note(NodeView n) => n.Status switch
    {
        NodeStatus.Unreachable => "unreachable",
        NodeStatus.Gone => "gone",
        NodeStatus.Joining => "joining",
        NodeStatus.Leaving => "leaving",
        _ when n.Vitals is not { } v => "up",
        // A box has room for some twenty letters; the table has every figure.
        _ when n.Roles.Contains("client") => n.VotesPerSecond >= 1 ? $"{Words.Count((long)Math.Round(n.VotesPerSecond))} votes/s" : $"{Words.Counted(n.Vitals!.Shards, "shard")}, {Bytes(n.Vitals.MemoryBytes)}",
        _ => Bytes(n.Vitals!.MemoryBytes),
    };

    /// <summary>All four roles are one word: there is no other node.</summary>
    private static IEnumerable<string> Shown(NodeView n) => n.Roles.Length >= 4 ? ["all roles"] : n.Roles;

    private static string Revoked(RunView view)
    {
        var blocks = view.Nodes.SelectMany(n => n.Vitals?.Readings ?? []).Where(r => r.Instrument == "chorus.leases.revoked").Sum(r => r.Value);
        return blocks > 0 ? $" · {Words.Counted((long)blocks, "block")} counted again after a node was lost" : "";
    }

    private static long Waiting(NodeView n) => (long)(n.Vitals?.Readings ?? []).Where(r => r.Instrument == "chorus.queue.length").Sum(r => r.Value);

    private static string Word(NodeStatus status) => status.ToString().ToLowerInvariant();

    private static NodeLook Look(NodeStatus status) => status switch
    {
        NodeStatus.Up => NodeLook.Well,
        NodeStatus.Unreachable => NodeLook.Unreachable,
        NodeStatus.Gone => NodeLook.Gone,
        _ => NodeLook.Changing,
    };

    internal static string Bytes(double bytes) => bytes >= 1e9 ? $"{Words.Short(bytes / 1e9)} GB" : $"{Words.Short(Math.Round(bytes / 1e6))} MB";
}
