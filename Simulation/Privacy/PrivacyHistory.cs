using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Chorus.Simulation.Privacy;

/// <summary>
/// Releases of one data set, in any order, each perhaps made in view of the earlier ones. Epsilon is derived from it
/// (<see cref="Accounting.PrivacyAccountant"/>), never stored beside it.
/// </summary>
/// <param name="Unit">What a record is.</param>
/// <param name="Adjacency">Which data sets are neighbours.</param>
/// <param name="Events">What was released.</param>
public sealed record PrivacyHistory(PrivacyUnit Unit, Adjacency Adjacency, ImmutableArray<PrivacyEvent> Events)
{
    /// <summary>The version of the JSON form that is written.</summary>
    public const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowOutOfOrderMetadataProperties = true,
        WriteIndented = true,
    };

    /// <summary>The number of releases.</summary>
    [JsonIgnore]
    public int Releases => Events.Sum(e => e.Count);

    /// <summary>The same history with like events together, in a fixed order: equal for any order and grouping.</summary>
    public PrivacyHistory Grouped() => this with
    {
        Events =
        [
            .. Events
                .GroupBy(e => e with { Count = 1 })
                .Select(g => g.Key with { Count = checked(g.Sum(e => e.Count)) })
                .OrderBy(e => e.Mechanism).ThenBy(e => e.Sampling.ToString(), StringComparer.Ordinal).ThenBy(e => e.NoiseMultiplier),
        ],
    };

    /// <summary>JSON, versioned: <c>{"version": 1, "unit": "client", "adjacency": "add-or-remove-one", "events": [...]}</c>.</summary>
    public string ToJson() => JsonSerializer.Serialize(new Document(CurrentVersion, Unit, Adjacency, Events), Json);

    /// <exception cref="FormatException">The text is not such a history; the message says where and why.</exception>
    public static PrivacyHistory FromJson(string json)
    {
        try
        {
            using (var any = JsonDocument.Parse(json))
            {
                if (any.RootElement.ValueKind == JsonValueKind.Object && any.RootElement.TryGetProperty("version", out var version) && !(version.TryGetInt32(out var v) && v == CurrentVersion))
                    throw new FormatException($"a privacy history of version {version} was found, and this Chorus reads version {CurrentVersion}: use the Chorus that wrote it, or a newer one");
            }

            var read = JsonSerializer.Deserialize<Document>(json, Json) ?? throw new FormatException("a privacy history is a JSON object, got null");
            return new PrivacyHistory(read.Unit, read.Adjacency, read.Events.IsDefault ? [] : read.Events);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException)
        {
            throw new FormatException($"not a privacy history: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private sealed record Document(
        int Version,
        PrivacyUnit Unit,
        Adjacency Adjacency,
        ImmutableArray<PrivacyEvent> Events);
}
