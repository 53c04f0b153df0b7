using Akka.Cluster;
using static Chorus.Actors.Membership.GateMessages;

namespace Chorus.Actors.Membership;

/// <summary>Who may be a member of a cluster, and if not, why. Pure: the gate asks it of whoever wants to join, the doorman of whoever did.</summary>
public static class Admission
{
    /// <summary>A member that coordinates a run says which by a role of this form.</summary>
    private const string RunRole = "run-";

    /// <summary>The role that names a run.</summary>
    public static string RoleOf(string run) => RunRole + run;

    internal static bool NamesRun(string role) => role.StartsWith(RunRole, StringComparison.Ordinal);

    /// <summary>The run that a member coordinates; null where it coordinates none.</summary>
    public static string? RunOf(Member member)
    {
        ArgumentNullException.ThrowIfNull(member);
        return member.HasRole("coordinator") ? member.Roles.FirstOrDefault(NamesRun)?[RunRole.Length..] : null;
    }

    /// <param name="version">The cluster's.</param>
    /// <param name="coordinators">Address and run of the members that coordinate one.</param>
    internal static string? WhyNot(JoinQuestion joining, string version, IEnumerable<(string Address, string Run)> coordinators)
    {
        if (joining.Version != version || joining.Protocol != ChorusVersion.Protocol)
            return $"this cluster runs Chorus {version} (protocol {ChorusVersion.Protocol}), the node that wants to join {joining.Version} (protocol {joining.Protocol}): install the same version on every machine";
        if (joining.Run is not { } run || coordinators.FirstOrDefault() is not (var address, { } running))
            return null;
        return run == running
            ? $"run {run} has its coordinator at {address} already; if that one has died, try again when the cluster has given it up"
            : $"this cluster is busy with run {running} (coordinator {address}): a cluster carries one run at a time";
    }
}
