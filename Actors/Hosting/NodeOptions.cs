using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Membership;
using Chorus.Actors.Methods;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Hosting;

/// <summary>What one process of the cluster is.</summary>
public sealed record NodeOptions
{
    /// <summary>Roles a node can have: coordinator, policy, trainer, client.</summary>
    public static IReadOnlyList<string> KnownRoles { get; } = ["coordinator", "policy", "trainer", "client"];

    /// <summary>The address that others reach this node by.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>host:port of nodes to join; empty: this node starts a cluster of its own.</summary>
    public IReadOnlyList<string> SeedNodes { get; init; } = [];

    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>The run starts when so many nodes are up.</summary>
    public int MinimumNodes { get; init; } = 1;

    /// <summary>What the node shows to others and whom it believes; null: connections are neither encrypted nor checked. Not owned.</summary>
    public NodeCertificate? Tls { get; init; }

    /// <summary>What the node says that it is, and wants others to be.</summary>
    internal string Version { get; init; } = ChorusVersion.Current;

    /// <summary>How long to wait for an answer before asking again.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Akka's log level: DEBUG, INFO, WARNING, ERROR or OFF.</summary>
    public string LogLevel { get; init; } = "WARNING";

    /// <summary>HOCON over all other Akka settings of this node; for tests and for trouble that nobody foresaw.</summary>
    public string Overrides { get; init; } = "";

    /// <summary>The run; with the role coordinator, unless that only leads a training.</summary>
    public RunContext? Run { get; init; }

    /// <summary>Makes the policy; required with the role policy.</summary>
    public PolicyFactory? Policy { get; init; }

    /// <summary>Makes what the clients of this node vote with, in place of the run's own: an audit's test has wrong ones to be caught.</summary>
    public VoteScorerFactory? Scorer { get; init; }

    /// <summary>Makes what the clients of this node train with, on a device's thread; null: they cannot.</summary>
    public Func<Func<RunSettings, DeviceThread>, ClientTrainerFactory>? ClientTrainers { get; init; }

    /// <summary>What a client's vote must be like to be added; another lets an audit's test have votes through that are too long.</summary>
    public VoteGate Gate { get; init; } = VoteGate.Clipping;

    /// <summary>Whether policy and trainer here work with libtorch; without, it is never loaded.</summary>
    public bool NeedsTorch { get; init; } = true;

    /// <summary>Makes the downstream experiment; with the role trainer, where a run may ask for one.</summary>
    public Evaluation.DownstreamFactory? Downstream { get; init; }

    /// <summary>Devices that this node trains on, with the role trainer: auto, cpu, cuda or cuda:N each.</summary>
    public IReadOnlyList<string> TrainerDevices { get; init; } = ["auto"];

    /// <summary>Threads of an operator of each trainer on the CPU; 0 divides the processors among them.</summary>
    public int TrainerThreads { get; init; }
}
