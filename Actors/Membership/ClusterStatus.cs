using System.Collections.Immutable;

namespace Chorus.Actors.Membership;

/// <summary>How a cluster is, as one of its nodes sees it: what <c>chorus cluster status</c> shows.</summary>
/// <param name="Run">Null where no node coordinates a run now.</param>
public sealed record ClusterStatus(string Version, ImmutableArray<MemberStatus> Members, RunStatus? Run);

/// <param name="Address">host:port.</param>
/// <param name="Status">joining, up, leaving, exiting, down or removed.</param>
/// <param name="Reachable">Whether the others hear from it.</param>
/// <param name="Shards">Shards of client blocks on it; null where that could not be found out.</param>
/// <param name="Blocks">Client blocks at work in them.</param>
public sealed record MemberStatus(string Address, ImmutableArray<string> Roles, string Status, bool Reachable, string Version, int? Shards, int? Blocks);

/// <param name="Folder">Where the run's files are, on the coordinator's machine.</param>
/// <param name="Round">The round at work, from 1; 0 before the first.</param>
/// <param name="Phase">What goes on.</param>
/// <param name="Done">How far it is, of <paramref name="Total"/>; a total of 0 is unknown.</param>
/// <param name="EpsilonSpent">By the ledger's books; null until they are open.</param>
/// <param name="EpsilonBudget">The most that may be spent; null until the books are open.</param>
/// <param name="Ended">How it ended; null while it goes on.</param>
public sealed record RunStatus(
    string Run, string Folder, int Clients, int Round, int Rounds, string Phase, long Done, long Total, string Detail, double? EpsilonSpent, double? EpsilonBudget,
    double Delta, string? Ended);
