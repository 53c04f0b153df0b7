using System.Text.Json.Serialization;

namespace Chorus.Simulation.Privacy;

/// <summary>Which data sets are neighbours, so that a release must not tell them apart.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Adjacency>))]
public enum Adjacency
{
    /// <summary>One has a record more than the other.</summary>
    [JsonStringEnumMemberName("add-or-remove-one")]
    AddOrRemoveOne,

    /// <summary>One record of the one is another record in the other.</summary>
    [JsonStringEnumMemberName("replace-one")]
    ReplaceOne,
}

/// <summary>What a record is: whose presence the guarantee hides.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PrivacyUnit>))]
public enum PrivacyUnit
{
    /// <summary>A client with all its texts.</summary>
    [JsonStringEnumMemberName("client")]
    Client,

    /// <summary>One training example.</summary>
    [JsonStringEnumMemberName("example")]
    Example,
}
