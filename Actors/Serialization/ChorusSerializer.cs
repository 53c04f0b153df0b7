using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Akka.Actor;
using Akka.Serialization;
using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Ledger;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Watch;

namespace Chorus.Actors.Serialization;

/// <summary>
/// Every message that crosses a node and every event that is persisted, as UTF-8 JSON under a manifest that names type
/// and version. Only the types listed here are ever made from bytes. Fields are added with defaults; a change of
/// meaning takes a new version.
/// </summary>
public sealed class ChorusSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private static readonly (string Manifest, Type Type)[] Types =
    [
        ("run/describe/1", typeof(RunProtocol.GetRunDescription)),
        ("run/description/1", typeof(RunProtocol.RunDescription)),
        ("run/started/1", typeof(RunProtocol.RunStarted)),
        ("run/candidates-made/1", typeof(RunProtocol.CandidatesMade)),
        ("run/leasing-started/1", typeof(RunProtocol.LeasingStarted)),
        ("run/release-made/1", typeof(RunProtocol.ReleaseMade)),
        ("run/policy-advanced/1", typeof(RunProtocol.PolicyAdvanced)),
        ("run/round-evaluated/1", typeof(RunProtocol.RoundEvaluated)),
        ("run/synthetic-written/1", typeof(RunProtocol.SyntheticWritten)),
        ("run/downstream-measured/1", typeof(RunProtocol.DownstreamMeasured)),
        ("run/finished/1", typeof(RunProtocol.RunFinished)),
        ("ledger/opened/1", typeof(LedgerProtocol.LedgerOpened)),
        ("ledger/charge-made/2", typeof(LedgerProtocol.ChargeMade)),
        ("block/vote/1", typeof(BlockProtocol.VoteBlock)),
        ("block/failed/1", typeof(BlockProtocol.BlockFailed)),
        ("candidates/get-chunk/1", typeof(CandidateProtocol.GetChunk)),
        ("candidates/chunk/1", typeof(CandidateProtocol.Chunk)),
        ("collector/claim/1", typeof(CollectorProtocol.ClaimBlock)),
        ("collector/granted/1", typeof(CollectorProtocol.BlockGranted)),
        ("collector/denied/1", typeof(CollectorProtocol.BlockDenied)),
        ("collector/revoked/1", typeof(CollectorProtocol.CollectorRevoked)),
        ("collector/merged/1", typeof(CollectorProtocol.PartialMerged)),
        ("collector/deliver/1", typeof(CollectorProtocol.DeliverPartial)),
        ("collector/partial/1", typeof(CollectorProtocol.PartialSum)),
        ("collector/closed/1", typeof(CollectorProtocol.RoundClosed)),
        ("policy/generate/1", typeof(PolicyProtocol.GenerateCandidates)),
        ("policy/generated/1", typeof(PolicyProtocol.CandidatesGenerated)),
        ("policy/tune/1", typeof(PolicyProtocol.TunePolicy)),
        ("policy/tuned/1", typeof(PolicyProtocol.PolicyTuned)),
        ("policy/synthesize/1", typeof(PolicyProtocol.WriteSynthetic)),
        ("policy/synthetic/1", typeof(PolicyProtocol.SyntheticMade)),
        ("evaluation/measure/1", typeof(EvaluationProtocol.MeasureDownstream)),
        ("evaluation/done/1", typeof(EvaluationProtocol.DownstreamDone)),
        ("step/progress/1", typeof(StepProgress)),
        ("step/failed/1", typeof(StepFailed)),
        ("watch/node/1", typeof(VitalsProtocol.WatchNode)),
        ("watch/vitals/1", typeof(VitalsProtocol.NodeVitals)),
    ];

    // Read for ever, written no more.
    private static readonly (string Manifest, Type Type)[] OldTypes =
    [
        ("ledger/charge-made/1", typeof(ChargeMadeV1)),
    ];

    private static readonly Dictionary<Type, string> Manifests = Types.ToDictionary(t => t.Type, t => t.Manifest);
    private static readonly Dictionary<string, Type> TypesByManifest = Types.Concat(OldTypes).ToDictionary(t => t.Manifest, t => t.Type);

    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new PackedConverter<long>(BinaryPrimitives.ReverseEndianness), new PackedConverter<int>(BinaryPrimitives.ReverseEndianness) },
    };

    /// <summary>The types that this serializer knows.</summary>
    public static IEnumerable<Type> KnownTypes => Types.Select(t => t.Type);

    public override int Identifier => 7301;

    public override string Manifest(object o) =>
        Manifests.TryGetValue(o.GetType(), out var manifest) ? manifest : throw new ArgumentException($"{o.GetType()} has no manifest: it must not leave its node");

    public override byte[] ToBinary(object obj) => JsonSerializer.SerializeToUtf8Bytes(obj, obj.GetType(), Json);

    public override object FromBinary(byte[] bytes, string manifest) => Read(bytes, manifest);

    /// <summary>What <see cref="FromBinary"/> does, for whoever reads a journal without an actor system.</summary>
    public static object Read(byte[] bytes, string manifest)
    {
        if (!TypesByManifest.TryGetValue(manifest, out var type))
            throw new ArgumentException($"unknown manifest {manifest}: it was written by a newer version of Chorus");
        var read = JsonSerializer.Deserialize(bytes, type, Json) ?? throw new JsonException($"{manifest} is null");
        return read is IOldEvent old ? old.Today : read;
    }

    /// <summary>Arrays of integers as base64 of their little-endian bytes: a partial sum has many.</summary>
    private sealed class PackedConverter<T>(Func<T, T> reverse) : JsonConverter<T[]>
        where T : unmanaged
    {
        public override T[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var values = MemoryMarshal.Cast<byte, T>(reader.GetBytesFromBase64()).ToArray();
            Order(values);
            return values;
        }

        public override void Write(Utf8JsonWriter writer, T[] value, JsonSerializerOptions options)
        {
            var values = BitConverter.IsLittleEndian ? value : [.. value];
            Order(values);
            writer.WriteBase64StringValue(MemoryMarshal.AsBytes(values.AsSpan()));
        }

        private void Order(T[] values)
        {
            if (BitConverter.IsLittleEndian)
                return;
            for (var i = 0; i < values.Length; i++)
                values[i] = reverse(values[i]);
        }
    }
}
