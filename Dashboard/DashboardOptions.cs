using Chorus.Actors.Watch;

namespace Chorus.Dashboard;

/// <summary>How the page of a run is served.</summary>
public sealed record DashboardOptions
{
    /// <summary>The port where none is named.</summary>
    public const int UsualPort = 8053;

    /// <summary>Address or name to listen on. Anything but this machine alone needs a token to be read.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes a free one; null the usual one, or one of the next where that is taken.</summary>
    public int? Port { get; init; }

    /// <summary>What pause and stop need, and every look from another machine.</summary>
    public required AccessToken Token { get; init; }

    /// <summary>What may be asked of the run; null where it is over.</summary>
    public IRunControl? Control { get; init; }

    /// <summary>Told how many pages look, whenever that changes; must not wait.</summary>
    public Action<int> Watched { get; init; } = _ => { };
}
