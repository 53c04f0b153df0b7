namespace Chorus.Simulation.Federation;

/// <summary>When a client can be reached.</summary>
public enum PresenceKind
{
    /// <summary>At any time.</summary>
    Always,

    /// <summary>For some hours of its own day, every day.</summary>
    Diurnal,

    /// <summary>As a recorded device was.</summary>
    Trace,
}

/// <summary>How clients come, answer and stay away, in virtual time. Nothing of it depends on what a client's texts say.</summary>
public sealed record AvailabilitySettings
{
    private const double HoursADay = 24;

    public PresenceKind Presence { get; init; }

    /// <summary>Diurnal: hours a day that a client can be reached, in (0, 24].</summary>
    public double Hours { get; init => field = value is > 0 and <= HoursADay ? value : throw Refuse(nameof(Hours), "in (0, 24]", value); } = 8;

    /// <summary>Diurnal: the hour of the day, in [0, 24), about which clients begin to be reachable.</summary>
    public double FromHour { get; init => field = value is >= 0 and < HoursADay ? value : throw Refuse(nameof(FromHour), "in [0, 24)", value); } = 22;

    /// <summary>Diurnal: a client begins up to so many hours before or after that, in [0, 12]; 12 spreads them over the whole day.</summary>
    public double SpreadHours { get; init => field = value is >= 0 and <= HoursADay / 2 ? value : throw Refuse(nameof(SpreadHours), "in [0, 12]", value); } = 4;

    /// <summary>Share of the clients reached that begin to work and never answer, each on its own each round; in [0, 1).</summary>
    public double Dropout { get; init => field = value is >= 0 and < 1 ? value : throw Refuse(nameof(Dropout), "in [0, 1)", value); }

    /// <summary>Median time that a client takes to answer, above zero.</summary>
    public TimeSpan AnswerTime { get; init => field = value > TimeSpan.Zero ? value : throw Refuse(nameof(AnswerTime), "above 0", value); } = TimeSpan.FromMinutes(1);

    /// <summary>Standard deviation of the logarithm of that time, answer by answer; at least 0.</summary>
    public double AnswerSpread { get; init => field = value is >= 0 and <= 10 ? value : throw Refuse(nameof(AnswerSpread), "in [0, 10]", value); } = 0.5;

    /// <summary>Share of the clients that are stragglers, the same in every round; in [0, 1].</summary>
    public double Stragglers { get; init => field = value is >= 0 and <= 1 ? value : throw Refuse(nameof(Stragglers), "in [0, 1]", value); }

    /// <summary>How many times longer a straggler takes; at least 1.</summary>
    public double StragglerSlowdown { get; init => field = value is >= 1 and <= 1e6 ? value : throw Refuse(nameof(StragglerSlowdown), "in [1, 1e6]", value); } = 10;

    /// <summary>Answers that take longer are late and not counted; above zero.</summary>
    public TimeSpan Deadline { get; init => field = value > TimeSpan.Zero ? value : throw Refuse(nameof(Deadline), "above 0", value); } = TimeSpan.FromMinutes(10);

    /// <summary>From one round's beginning to the next; above zero. The first begins at midnight.</summary>
    public TimeSpan RoundEvery { get; init => field = value > TimeSpan.Zero ? value : throw Refuse(nameof(RoundEvery), "above 0", value); } = TimeSpan.FromHours(1);

    private static ArgumentOutOfRangeException Refuse(string name, string range, object value) =>
        new(name, FormattableString.Invariant($"{name} must be {range}, got {value}"));
}
