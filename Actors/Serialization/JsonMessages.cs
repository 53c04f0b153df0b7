using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Ledger;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;

namespace Chorus.Actors.Serialization;

/// <summary>Messages and events as JSON, as they were written before wire.proto: read for ever, written no more. Nothing is added here.</summary>
internal static class JsonMessages
{
    private static readonly (string Manifest, Type Type)[] Types =
    [
        ("run/describe/1", typeof(RunProtocol.GetRunDescription)),
        ("run/description/1", typeof(RunDescriptionV1)),
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
        ("ledger/charge-made/1", typeof(ChargeMadeV1)),
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
        ("collector/partial/1", typeof(PartialSumV1)),
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
    ];

    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        RespectNullableAnnotations = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { RequireObjects } },
        Converters = { new PackedConverter<long>(), new PackedConverter<int>() },
    };

    /// <summary>Numbers that came later are 0 in older messages. Texts and lists were always written: a message that lacks one was damaged on its way.</summary>
    private static void RequireObjects(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
            property.IsRequired = property.Set is not null && property.AssociatedParameter is { IsNullable: false, HasDefaultValue: false } && !(property.PropertyType.IsPrimitive || property.PropertyType.IsEnum);
    }

    /// <summary>By manifest.</summary>
    public static IEnumerable<KeyValuePair<string, Func<byte[], object>>> Readers =>
        Types.Select(t => KeyValuePair.Create<string, Func<byte[], object>>(t.Manifest, bytes => Read(bytes, t.Type)));

    private static object Read(byte[] bytes, Type type)
    {
        var read = JsonSerializer.Deserialize(bytes, type, Json) ?? throw new JsonException("null is no message");
        return read is IOldMessage old ? old.Today : read;
    }

    /// <summary>Arrays of integers as base64 of their little-endian bytes.</summary>
    private sealed class PackedConverter<T> : JsonConverter<T[]>
        where T : unmanaged
    {
        public override T[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            MemoryMarshal.Cast<byte, T>(reader.GetBytesFromBase64()).ToArray();

        public override void Write(Utf8JsonWriter writer, T[] value, JsonSerializerOptions options) => throw new NotSupportedException("JSON is written no more");
    }
}
