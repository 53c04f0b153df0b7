using System.Collections.Immutable;
using Chorus.Gpu.Collectives;

namespace Chorus.Actors.Training;

/// <summary>
/// What a group's leader, the nodes' hosts and the trainers say to each other. An epoch is one make-up of the group: its ranks and their collective.
/// The leader gives the same order to all ranks and goes on when all have done it; orders are numbered, repeated until they are answered, and done once.
/// </summary>
public static class TrainingProtocol
{
    /// <summary>To a node's host: make a trainer for each device. Repeated until all have answered.</summary>
    /// <param name="Job">A <see cref="TrainingJob"/> in JSON.</param>
    public sealed record PrepareTrainers(string Run, string Job) : IRunMessage;

    /// <summary>So many trainers will answer from this node.</summary>
    public sealed record TrainersPromised(string Run, string Node, ImmutableArray<string> Devices) : IRunMessage;

    /// <summary>The model is loaded; the sender is the trainer.</summary>
    /// <param name="Gpu">Which GPU it is, by its own identity; null on the CPU.</param>
    /// <param name="Nccl">Whether NCCL is to be had there.</param>
    /// <param name="AvailableBytes">What the device had free before the model came; null is not known.</param>
    public sealed record TrainerPrepared(string Run, string Node, string Device, string? Gpu, bool Nccl, long? AvailableBytes) : IRunMessage;

    /// <summary>The trainer cannot go on, and another try would not help.</summary>
    /// <param name="BadInput">Whether its user can put it right.</param>
    public sealed record TrainerFailed(string Run, string Node, string Device, string Reason, bool BadInput) : IRunMessage;

    /// <summary>What all ranks do together.</summary>
    public interface IOrder : IRunMessage
    {
        int Epoch { get; }

        /// <summary>Counts the orders of the epoch, from 0.</summary>
        int Number { get; }
    }

    /// <summary>Begin an epoch: form the group, and take over rank 0's state.</summary>
    /// <param name="Rank">Of the receiver.</param>
    /// <param name="Trainers">The ranks' actors, by path; one is alone and needs no collective.</param>
    /// <param name="Collective">Host or Nccl.</param>
    /// <param name="NcclId">For Nccl; else empty.</param>
    /// <param name="State">The file that rank 0 goes on from; null: as it stands.</param>
    public sealed record JoinGroup(string Run, int Epoch, int Number, int Rank, ImmutableArray<string> Trainers, CollectiveKind Collective, ImmutableArray<byte> NcclId, string? State) : IOrder;

    /// <summary>Do steps until so many are done in all; report then, or not.</summary>
    public sealed record RunSteps(string Run, int Epoch, int Number, int Until, bool Report) : IOrder;

    /// <summary>Gather the state; rank 0 writes it.</summary>
    public sealed record SaveState(string Run, int Epoch, int Number, string Path) : IOrder;

    /// <summary>Rank 0 writes the product.</summary>
    public sealed record WriteProduct(string Run, int Epoch, int Number, string Directory) : IOrder;

    /// <summary>An order is done. The figures are the group's since the last report where they were asked for, else null.</summary>
    /// <param name="Step">Steps done in all.</param>
    /// <param name="Model">With the first order of an epoch; else null.</param>
    public sealed record OrderDone(string Run, int Epoch, int Number, int Rank, int Step, RankReport? Report, TrainedModel? Model) : IRunMessage;

    /// <summary>This rank's collective broke: a peer is gone, most likely.</summary>
    public sealed record EpochBroken(string Run, int Epoch, int Rank, string Reason) : IRunMessage;

    /// <summary>Leave the epoch; what is under way ends without a result.</summary>
    public sealed record EndEpoch(string Run, int Epoch, string Reason) : IRunMessage;

    /// <summary>This rank has left the epoch: nothing of it runs any more.</summary>
    public sealed record EpochEnded(string Run, int Epoch) : IRunMessage;

    /// <summary>A piece of a tensor on its way from one rank of an epoch to another: raw bytes of noise-free sums, for trainers alone, and never persisted.</summary>
    /// <param name="Number">Counts the pieces from this rank to that, from 0.</param>
    /// <param name="Bytes">Not to be changed once sent.</param>
    public sealed record GroupBytes(string Run, int Epoch, int From, int To, long Number, byte[] Bytes) : IRunMessage;

    /// <summary>The receiver of <see cref="GroupBytes"/> has room for more.</summary>
    public sealed record BytesTaken(string Run, int Epoch, int From, int To) : IRunMessage;
}

/// <summary>What is trained.</summary>
/// <param name="Weights">How many are.</param>
/// <param name="Groups">Clipping groups.</param>
public sealed record TrainedModel(long Weights, int Groups);

/// <summary>A group's figures since its last report, and one rank's times.</summary>
/// <param name="Loss">Mean of finite losses, computed without noise; NaN where there is none.</param>
/// <param name="Tokens">Targets since the epoch began.</param>
/// <param name="NotFinite">Samples left out, since the run's start.</param>
/// <param name="CommunicationSeconds">The rank's device stood still for others.</param>
/// <param name="DataSeconds">Drawing and laying out examples.</param>
/// <param name="PeakBytes">Of the rank's device; null where it cannot be asked.</param>
public sealed record RankReport(double Loss, long Tokens, long NotFinite, double CommunicationSeconds, double DataSeconds, long? PeakBytes);
