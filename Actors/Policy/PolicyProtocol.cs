using System.Collections.Immutable;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Policy;

/// <summary>
/// What the coordinator asks of the policy. Requests name the run's folder, which holds all that the policy needs
/// (run.conf, earlier adapters, candidates); they are idempotent, so the coordinator may repeat them.
/// </summary>
public static class PolicyProtocol
{
    public interface IRequest : IRunMessage
    {
        string Folder { get; }
    }

    /// <summary>Write the round's candidates, from the policy as the round before left it, and embed them.</summary>
    public sealed record GenerateCandidates(string Run, string Folder, int Round) : IRequest;

    public sealed record CandidatesGenerated(string Run, int Round, string Sha256, int Count, double Seconds) : IRunMessage;

    /// <summary>Tune the policy of the round before on this round's preference pairs, and save its adapter.</summary>
    public sealed record TunePolicy(string Run, string Folder, int Round, ImmutableArray<PreferencePair> Pairs) : IRequest;

    public sealed record PolicyTuned(
        string Run, int Round, string AdapterSha256, int Steps, double FirstLoss, double LastLoss, double RewardAccuracy, double Seconds) : IRunMessage;

    /// <summary>Write the product: the synthetic data set, from the policy after its last round.</summary>
    public sealed record WriteSynthetic(string Run, string Folder, int Rounds) : IRequest;

    public sealed record SyntheticMade(string Run, string Sha256, int Count, double Seconds) : IRunMessage;
}

/// <summary>How far a long step is. Sent to whoever asked for the step, a few times a second at most.</summary>
public sealed record StepProgress(string Run, string Stage, long Done, long Total, string Detail) : IRunMessage;

/// <summary>A step cannot be done; asking again would not help.</summary>
public sealed record StepFailed(string Run, string Stage, string Reason, bool BadInput) : IRunMessage;
