using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using Google.Protobuf;
using static Chorus.Actors.Serialization.Mappings.Fields;

namespace Chorus.Actors.Serialization.Mappings;

/// <summary>Blocks of clients, candidates, collectors.</summary>
internal static class CollectionMappings
{
    public static IEnumerable<WireType> Types =>
    [
        WireType.Of<BlockProtocol.VoteBlock, Wire.VoteBlock>(
            "block/vote/2",
            m => new() { Run = m.Run, Round = m.Round, Block = m.Block, Lease = m.Lease, CandidatesSha256 = m.CandidatesSha256, Sampled = ByteString.CopyFrom(m.Sampled) },
            w => new(w.Run, w.Round, w.Block, w.Lease, w.CandidatesSha256, w.Sampled.ToByteArray())),
        WireType.Of<BlockProtocol.BlockFailed, Wire.BlockFailed>(
            "block/failed/2",
            m => new() { Run = m.Run, Round = m.Round, Block = m.Block, Lease = m.Lease, Reason = m.Reason },
            w => new(w.Run, w.Round, w.Block, w.Lease, w.Reason)),
        WireType.Of<CandidateProtocol.GetChunk, Wire.GetChunk>(
            "candidates/get-chunk/2",
            m => new() { Run = m.Run, Round = m.Round, Sha256 = m.Sha256, Index = m.Index },
            w => new(w.Run, w.Round, w.Sha256, w.Index)),
        WireType.Of<CandidateProtocol.Chunk, Wire.Chunk>(
            "candidates/chunk/2",
            m => new() { Run = m.Run, Round = m.Round, Sha256 = m.Sha256, Index = m.Index, Count = m.Count, Bytes = PackedNumbers.Pack(m.Bytes, sizeof(float)) },
            w => new(w.Run, w.Round, w.Sha256, w.Index, w.Count, PackedNumbers.Unpack(w.Bytes, sizeof(float)))),
        Claim<CollectorProtocol.ClaimBlock>(
            "collector/claim/2",
            m => new() { Run = m.Run, Round = m.Round, Block = m.Block, Lease = m.Lease, Collector = m.Collector },
            w => new(w.Run, w.Round, w.Block, w.Lease, w.Collector)),
        Claim<CollectorProtocol.BlockGranted>(
            "collector/granted/2",
            m => new() { Run = m.Run, Round = m.Round, Block = m.Block, Lease = m.Lease },
            w => new(w.Run, w.Round, w.Block, w.Lease)),
        Claim<CollectorProtocol.BlockDenied>(
            "collector/denied/2",
            m => new() { Run = m.Run, Round = m.Round, Block = m.Block, Lease = m.Lease },
            w => new(w.Run, w.Round, w.Block, w.Lease)),
        WireType.Of<CollectorProtocol.CollectorRevoked, Wire.CollectorNotice>(
            "collector/revoked/2", m => new() { Run = m.Run, Round = m.Round, Collector = m.Collector }, w => new(w.Run, w.Round, w.Collector)),
        WireType.Of<CollectorProtocol.PartialMerged, Wire.CollectorNotice>(
            "collector/merged/2", m => new() { Run = m.Run, Round = m.Round, Collector = m.Collector }, w => new(w.Run, w.Round, w.Collector)),
        WireType.Of<CollectorProtocol.RoundClosed, Wire.CollectorNotice>(
            "collector/closed/2", m => new() { Run = m.Run, Round = m.Round }, w => new(w.Run, w.Round)),
        WireType.Of<CollectorProtocol.DeliverPartial, Wire.DeliverPartial>(
            "collector/deliver/2", m => new() { Run = m.Run, Round = m.Round, Part = m.Part }, w => new(w.Run, w.Round, Count(w.Part))),
        WireType.Of<CollectorProtocol.PartialSum, Wire.PartialSum>("collector/partial/2", Write, Read),
    ];

    public static Wire.VoteTally Write(VoteTally m) =>
        new() { NoText = m.NoText, NotFinite = m.NotFinite, ZeroSpread = m.ZeroSpread, Clipped = m.Clipped, Invalid = m.Invalid };

    public static VoteTally Read(Wire.VoteTally w) =>
        new(Count(w.NoText), Count(w.NotFinite), Count(w.ZeroSpread), Count(w.Clipped), Count(w.Invalid));

    private static WireType Claim<T>(string manifest, Func<T, Wire.BlockClaim> write, Func<Wire.BlockClaim, T> read)
        where T : notnull => WireType.Of(manifest, write, read);

    private static Wire.PartialSum Write(CollectorProtocol.PartialSum m)
    {
        var wire = new Wire.PartialSum
        {
            Run = m.Run,
            Round = m.Round,
            Collector = m.Collector,
            Sum = PackedNumbers.Pack(m.Sum),
            Clients = m.Clients.Count,
            ClientsHash = m.Clients.Hash,
            Tally = Write(m.Tally),
            Part = m.Part,
            Parts = m.Parts,
        };
        foreach (var (block, lease) in m.Blocks)
        {
            wire.Blocks.Add(block);
            wire.Leases.Add(lease);
        }

        return wire;
    }

    private static CollectorProtocol.PartialSum Read(Wire.PartialSum w) => w.Blocks.Count == w.Leases.Count
        ? new(
            w.Run, w.Round, w.Collector, [.. w.Blocks.Zip(w.Leases, (block, lease) => new CollectorProtocol.GrantedBlock(block, lease))],
            PackedNumbers.UnpackLongs(w.Sum), new ClientDigest(Count(w.Clients), w.ClientsHash), Read(Required(w.Tally)), Count(w.Part), Count(w.Parts))
        : throw new InvalidDataException($"a partial sum has {w.Blocks.Count} blocks and {w.Leases.Count} leases");
}
