using System.Text.Json;

namespace Chorus.Actors.Membership;

/// <summary>
/// What is said to a node's gate before one is a member, and what it answers: JSON in plain strings, so that nodes of any
/// two versions understand each other well enough to say why they do not fit. Fields are only ever added.
/// </summary>
internal static class GateMessages
{
    /// <summary>Nobody has a reason to say more.</summary>
    private const int LongestMessage = 1 << 20;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>"May I join?"</summary>
    /// <param name="Run">The run that the asker coordinates; null where it carries clients for any.</param>
    internal sealed record JoinQuestion(string Version, int Protocol, string? Run);

    /// <param name="Join">Set where the question is whether one may join.</param>
    /// <param name="Status">Set where the question is how the cluster is.</param>
    internal sealed record Question(JoinQuestion? Join = null, bool Status = false);

    /// <param name="Refused">Why not; null where nothing is against it.</param>
    internal sealed record Answer(string? Refused = null, ClusterStatus? Status = null);

    public static string Write<T>(T message) => JsonSerializer.Serialize(message, Json);

    /// <returns>Null where the text is no message of this kind.</returns>
    public static T? Read<T>(string text)
        where T : class
    {
        try
        {
            return text.Length <= LongestMessage ? JsonSerializer.Deserialize<T>(text, Json) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
