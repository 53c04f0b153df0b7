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

    /// <summary>
    /// Make the array that the round distributes, from what the round before left: the policy writes candidates and embeds them;
    /// where clients train, the evaluator gives the model's weights.
    /// </summary>
    public sealed record GenerateCandidates(string Run, string Folder, int Round) : IRequest;

    /// <param name="Sha256">Of the array's bytes.</param>
    /// <param name="Count">Candidates, or weights.</param>
    public sealed record CandidatesGenerated(string Run, int Round, string Sha256, int Count, double Seconds) : IRunMessage;

    /// <summary>Learn from the round's release, and save what was learned: an adapter, the parents of the next candidates, or weights.</summary>
    public sealed record TunePolicy(string Run, string Folder, int Round) : IRequest;

    /// <param name="AdapterSha256">Of what was saved.</param>
    /// <param name="Pairs">Preference pairs learned from; or parents selected; 0 where neither is made.</param>
    /// <param name="Steps">Steps of tuning; 0, and no losses, where nothing was tuned.</param>
    public sealed record PolicyTuned(
        string Run, int Round, string AdapterSha256, int Pairs, int Steps, double FirstLoss, double LastLoss, double RewardAccuracy, double Seconds) : IRunMessage;

    /// <summary>Write the product: the synthetic data set, from the policy after its last round.</summary>
    public sealed record WriteSynthetic(string Run, string Folder, int Rounds) : IRequest;

    public sealed record SyntheticMade(string Run, string Sha256, int Count, double Seconds) : IRunMessage;
}

/// <summary>How far a long step is. Sent to whoever asked for the step, a few times a second at most.</summary>
public sealed record StepProgress(string Run, string Stage, long Done, long Total, string Detail) : IRunMessage;

/// <summary>A step cannot be done; asking again would not help.</summary>
public sealed record StepFailed(string Run, string Stage, string Reason, bool BadInput) : IRunMessage;
