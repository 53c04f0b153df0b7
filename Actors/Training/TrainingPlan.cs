using System.Collections.Immutable;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.DpSgd;

namespace Chorus.Actors.Training;

/// <summary>A whole training: what, for how long, where its files go, and who takes part.</summary>
/// <param name="Run">Names it to the trainers; another start of the same training has another name.</param>
/// <param name="Examples">How many there are.</param>
/// <param name="Steps">Of the whole run.</param>
/// <param name="SaveEvery">Steps between saved states.</param>
/// <param name="MinimumNodes">It begins when so many nodes have their trainers ready.</param>
public sealed record TrainingPlan(string Run, TrainingJob Job, int Examples, int Steps, int SaveEvery, TrainingFolder Folder, int MinimumNodes, CollectiveKind Collective)
{
    private const int ReportsInAll = 20;

    /// <summary>A step that is reported: the first one done, twenty of the run, the last.</summary>
    /// <param name="from">Steps done when this process began.</param>
    public bool Reports(int step, int from) => step == from + 1 || step % Math.Max(1, Steps / ReportsInAll) == 0 || step == Steps;

    public bool Saves(int step) => step % SaveEvery == 0 || step == Steps;

    /// <summary>Until which step the next order goes: never past one that is reported or saved.</summary>
    /// <param name="most">Steps of an order.</param>
    public int Next(int done, int from, int most)
    {
        int until = done + 1;
        while (until < Steps && until - done < most && !Reports(until, from) && !Saves(until))
            until++;
        return until;
    }
}

/// <summary>What a leader tells people.</summary>
public abstract record TrainingEvent
{
    /// <summary>An epoch has begun.</summary>
    /// <param name="Step">Steps done: where it goes on from.</param>
    /// <param name="Ranks">Node and device of each.</param>
    /// <param name="Collective">Null where there is one rank.</param>
    /// <param name="Memory">What each device needs.</param>
    public sealed record Formed(int Epoch, int Step, ImmutableArray<string> Ranks, CollectiveKind? Collective, MemoryPlan Memory, TrainedModel Model) : TrainingEvent;

    /// <summary>Steps were done.</summary>
    /// <param name="Tokens">Since the last report, of all ranks.</param>
    /// <param name="Seconds">Since the last report, of training alone.</param>
    /// <param name="Steps">Since the last report.</param>
    /// <param name="Figures">Of rank 0; its tokens are the epoch's.</param>
    public sealed record Reported(int Step, long Tokens, double Seconds, int Steps, RankReport Figures) : TrainingEvent;

    /// <summary>An epoch ended before its time; the next one goes on from the last saved state.</summary>
    public sealed record Broken(string Reason) : TrainingEvent;
}

/// <summary>How a training ended.</summary>
/// <param name="Step">Steps done and saved.</param>
/// <param name="Failure">Null where it did not fail.</param>
/// <param name="BadInput">Whether its user can put the failure right.</param>
/// <param name="Stopped">It was asked to stop.</param>
/// <param name="Figures">Of the last report.</param>
public sealed record TrainingEnd(int Step, string? Failure, bool BadInput, bool Stopped, RankReport? Figures);
