using Chorus.Actors.Training;
using Chorus.Gpu.Collectives;
using Google.Protobuf;

namespace Chorus.Actors.Serialization.Mappings;

/// <summary>A training's leader, hosts and trainers.</summary>
internal static class TrainingMappings
{
    public static IEnumerable<WireType> Types =>
    [
        WireType.Of<TrainingProtocol.PrepareTrainers, Wire.PrepareTrainers>("training/prepare/1", m => new() { Run = m.Run, Job = m.Job }, w => new(w.Run, w.Job)),
        WireType.Of<TrainingProtocol.TrainersPromised, Wire.TrainersPromised>(
            "training/promised/1", m => new() { Run = m.Run, Node = m.Node, Devices = { m.Devices } }, w => new(w.Run, w.Node, [.. w.Devices])),
        WireType.Of<TrainingProtocol.TrainerPrepared, Wire.TrainerPrepared>("training/prepared/1", Write, Read),
        WireType.Of<TrainingProtocol.TrainerFailed, Wire.TrainerFailed>(
            "training/failed/1",
            m => new() { Run = m.Run, Node = m.Node, Device = m.Device, Reason = m.Reason, BadInput = m.BadInput },
            w => new(w.Run, w.Node, w.Device, w.Reason, w.BadInput)),
        WireType.Of<TrainingProtocol.JoinGroup, Wire.JoinGroup>("training/join/1", Write, Read),
        WireType.Of<TrainingProtocol.RunSteps, Wire.RunSteps>(
            "training/run/1",
            m => new() { Run = m.Run, Epoch = m.Epoch, Number = m.Number, Until = m.Until, Report = m.Report },
            w => new(w.Run, w.Epoch, w.Number, w.Until, w.Report)),
        WireType.Of<TrainingProtocol.SaveState, Wire.SaveState>(
            "training/save/1", m => new() { Run = m.Run, Epoch = m.Epoch, Number = m.Number, Path = m.Path }, w => new(w.Run, w.Epoch, w.Number, w.Path)),
        WireType.Of<TrainingProtocol.WriteProduct, Wire.WriteProduct>(
            "training/write/1",
            m => new() { Run = m.Run, Epoch = m.Epoch, Number = m.Number, Directory = m.Directory },
            w => new(w.Run, w.Epoch, w.Number, w.Directory)),
        WireType.Of<TrainingProtocol.OrderDone, Wire.OrderDone>("training/done/1", Write, Read),
        WireType.Of<TrainingProtocol.EpochBroken, Wire.EpochBroken>(
            "training/broken/1", m => new() { Run = m.Run, Epoch = m.Epoch, Rank = m.Rank, Reason = m.Reason }, w => new(w.Run, w.Epoch, w.Rank, w.Reason)),
        WireType.Of<TrainingProtocol.EndEpoch, Wire.EndEpoch>(
            "training/end/1", m => new() { Run = m.Run, Epoch = m.Epoch, Reason = m.Reason }, w => new(w.Run, w.Epoch, w.Reason)),
        WireType.Of<TrainingProtocol.EpochEnded, Wire.EpochEnded>("training/ended/1", m => new() { Run = m.Run, Epoch = m.Epoch }, w => new(w.Run, w.Epoch)),
        WireType.Of<TrainingProtocol.BytesTaken, Wire.BytesTaken>(
            "training/taken/1", m => new() { Run = m.Run, Epoch = m.Epoch, From = m.From, To = m.To }, w => new(w.Run, w.Epoch, w.From, w.To)),
        // The bytes of a tensor's piece are no sender's to change, so they need no copy.
        WireType.Of<TrainingProtocol.GroupBytes, Wire.GroupBytes>(
            "training/bytes/1",
            m => new() { Run = m.Run, Epoch = m.Epoch, From = m.From, To = m.To, Number = m.Number, Bytes = UnsafeByteOperations.UnsafeWrap(m.Bytes) },
            w => new(w.Run, w.Epoch, w.From, w.To, w.Number, w.Bytes.ToByteArray())),
    ];

    private static Wire.TrainerPrepared Write(TrainingProtocol.TrainerPrepared m)
    {
        var wire = new Wire.TrainerPrepared { Run = m.Run, Node = m.Node, Device = m.Device, Nccl = m.Nccl };
        if (m.Gpu is not null)
            wire.Gpu = m.Gpu;
        if (m.AvailableBytes is { } bytes)
            wire.AvailableBytes = bytes;
        return wire;
    }

    private static TrainingProtocol.TrainerPrepared Read(Wire.TrainerPrepared w) => new(w.Run, w.Node, w.Device, w.HasGpu ? w.Gpu : null, w.Nccl, w.HasAvailableBytes ? w.AvailableBytes : null);

    private static Wire.JoinGroup Write(TrainingProtocol.JoinGroup m)
    {
        var wire = new Wire.JoinGroup
        {
            Run = m.Run,
            Epoch = m.Epoch,
            Number = m.Number,
            Rank = m.Rank,
            Trainers = { m.Trainers },
            Collective = (int)m.Collective,
            NcclId = ByteString.CopyFrom(m.NcclId.AsSpan()),
        };
        if (m.State is not null)
            wire.State = m.State;
        return wire;
    }

    private static TrainingProtocol.JoinGroup Read(Wire.JoinGroup w) => new(
        w.Run, w.Epoch, w.Number, w.Rank, [.. w.Trainers],
        Enum.IsDefined((CollectiveKind)w.Collective) ? (CollectiveKind)w.Collective : throw new ArgumentException($"no collective {w.Collective}"),
        [.. w.NcclId.Span], w.HasState ? w.State : null);

    private static Wire.OrderDone Write(TrainingProtocol.OrderDone m)
    {
        var wire = new Wire.OrderDone { Run = m.Run, Epoch = m.Epoch, Number = m.Number, Rank = m.Rank, Step = m.Step };
        if (m.Model is { } model)
            wire.Model = new Wire.TrainedModel { Weights = model.Weights, Groups = model.Groups };
        if (m.Report is not { } r)
            return wire;
        wire.Report = new Wire.RankReport { Loss = r.Loss, Tokens = r.Tokens, NotFinite = r.NotFinite, CommunicationSeconds = r.CommunicationSeconds, DataSeconds = r.DataSeconds };
        if (r.PeakBytes is { } peak)
            wire.Report.PeakBytes = peak;
        return wire;
    }

    private static TrainingProtocol.OrderDone Read(Wire.OrderDone w) => new(
        w.Run, w.Epoch, w.Number, w.Rank, w.Step,
        w.Report is { } r ? new RankReport(r.Loss, r.Tokens, r.NotFinite, r.CommunicationSeconds, r.DataSeconds, r.HasPeakBytes ? r.PeakBytes : null) : null,
        w.Model is { } m ? new TrainedModel(m.Weights, m.Groups) : null);
}
