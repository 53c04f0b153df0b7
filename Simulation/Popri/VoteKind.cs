namespace Chorus.Simulation.Popri;

/// <summary>What became of a client's vote. All are counted clients; all but the first give a zero vote.</summary>
public enum VoteKind
{
    /// <summary>A vote of norm 1, up to rounding.</summary>
    Counted,

    /// <summary>The client has no text.</summary>
    NoText,

    /// <summary>An embedding of the client holds NaN or infinity.</summary>
    NotFinite,

    /// <summary>The client likes every candidate equally, so that there is no deviation to divide by.</summary>
    ZeroSpread,
}
