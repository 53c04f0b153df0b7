namespace Chorus.Actors.Watch;

/// <summary>What a notable event is about.</summary>
public enum HappeningKind
{
    /// <summary>The run as a whole: started, paused, over.</summary>
    Run,

    /// <summary>A round is done, or something of it was made.</summary>
    Round,

    /// <summary>A node came, went, or cannot be reached.</summary>
    Node,

    /// <summary>Something that somebody should look at.</summary>
    Warning,
}

/// <summary>A notable event of a run, in words that quote no text of a client.</summary>
public sealed record Happening(DateTimeOffset At, HappeningKind Kind, string Text);
