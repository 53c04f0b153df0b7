namespace Chorus.Actors.Membership;

/// <summary>What must be equal on all nodes of a cluster.</summary>
public static class ChorusVersion
{
    /// <summary>Of what nodes say to each other; grows when an older node could no longer follow.</summary>
    public const int Protocol = 1;

    /// <summary>The release: only equal code surely computes equal votes.</summary>
    public static string Current { get; } = typeof(ChorusVersion).Assembly.GetName().Version!.ToString(3);
}
