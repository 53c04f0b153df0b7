using Chorus.Simulation.Federation;

namespace Chorus.Actors.Settings;

/// <summary>Which clients answer a round, in the simulation's own time.</summary>
/// <param name="Model">Null: every client that is asked answers.</param>
/// <param name="OverSelection">So many times the cohort's size are asked, and the first to answer are taken; 1 takes all who answer.</param>
/// <param name="Trace">File of a trace; empty for none.</param>
/// <param name="TracePeriod">After which the trace repeats.</param>
/// <param name="TraceSha256">What the file must hash to; null is anything, until the run is prepared.</param>
public sealed record AvailabilityRunSettings(AvailabilitySettings? Model, double OverSelection, string Trace, TimeSpan TracePeriod, string? TraceSha256)
{
    /// <summary>Whether a round takes the first of its clients to answer and turns the others away.</summary>
    public bool FirstCome => OverSelection > 1;

    internal static AvailabilityRunSettings From(SettingsReader read, Cohort cohort, Method method)
    {
        var kind = read.OneOf("clients.availability.presence", "off", "always", "diurnal", "trace");
        var model = new AvailabilitySettings
        {
            Presence = kind switch
            {
                "diurnal" => PresenceKind.Diurnal,
                "trace" => PresenceKind.Trace,
                _ => PresenceKind.Always,
            },
            Hours = read.Above("clients.availability.hours", 0, 24),
            FromHour = read.From("clients.availability.from-hour", 0, 23.999),
            SpreadHours = read.From("clients.availability.spread-hours", 0, 12),
            Dropout = read.From("clients.availability.dropout", 0, 0.999),
            AnswerTime = read.Duration("clients.availability.answer-time"),
            AnswerSpread = read.From("clients.availability.answer-spread", 0, 10),
            Stragglers = read.From("clients.availability.stragglers", 0, 1),
            StragglerSlowdown = read.From("clients.availability.straggler-slowdown", 1, 1e6),
            Deadline = read.Duration("clients.availability.deadline"),
            RoundEvery = read.Duration("clients.availability.round-every"),
        };
        if (model.Deadline > model.RoundEvery)
            throw read.Wrong("clients.availability.deadline", $"at most clients.availability.round-every, {model.RoundEvery}");
        var overSelection = read.From("clients.availability.over-selection", 1, 1000);
        if (overSelection > 1 && kind == "off")
            throw read.Wrong("clients.availability.over-selection", "1 unless clients.availability.presence says how clients answer");
        // Of a Poisson cohort first come, first counted is no Poisson sample: one client keeps another out.
        if (overSelection > 1 && cohort is not FixedSize)
            throw read.Wrong("clients.availability.over-selection", "1 unless clients.cohort is fixed (ask more by a larger clients.cohort-probability, and count all who answer)");
        // A client's turn is charged as its own vote and nothing more.
        if (overSelection > 1 && method == Method.DpFtrl)
            throw read.Wrong("clients.availability.over-selection", "1 under method dp-ftrl, whose clients take turns");
        var trace = read.Text("clients.availability.trace");
        if (kind == "trace" != trace.Length > 0)
            throw read.Wrong("clients.availability.trace", kind == "trace" ? "the file of a trace, for clients.availability.presence is trace" : "empty unless clients.availability.presence is trace");
        var sha256 = read.Text("clients.availability.trace-sha256");
        if (sha256 != "auto" && !(sha256.Length == 64 && sha256.All(char.IsAsciiHexDigitLower)))
            throw read.Wrong("clients.availability.trace-sha256", "auto or 64 hexadecimal digits in lower case");
        return new AvailabilityRunSettings(
            kind == "off" ? null : model, overSelection, trace.Length > 0 ? Path.GetFullPath(trace) : "", read.Duration("clients.availability.trace-period"),
            sha256 == "auto" ? null : sha256);
    }

    /// <summary>Reads the trace, where there is one.</summary>
    /// <exception cref="SettingsException">It is another file than the settings pin.</exception>
    /// <exception cref="Simulation.Data.DataFormatException">It is no trace.</exception>
    public PresenceTrace? ReadTrace()
    {
        if (Trace.Length == 0)
            return null;
        var trace = PresenceTrace.Read(Trace, TracePeriod);
        return TraceSha256 is null || TraceSha256 == trace.Sha256
            ? trace
            : throw new SettingsException($"chorus.clients.availability.trace: {Trace} is not the trace of this run (sha256 {trace.Sha256}, wanted {TraceSha256}): put that one back, or start another run");
    }

    /// <summary>Writes into the settings of a new run what its trace hashes to, so that a resumed run finds out when it is another.</summary>
    /// <inheritdoc cref="ReadTrace" path="/exception"/>
    public static RunSettings Resolve(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.Clients.Availability.ReadTrace() is { } trace
            ? settings.With(("clients.availability.trace", settings.Clients.Availability.Trace), ("clients.availability.trace-sha256", trace.Sha256))
            : settings;
    }
}
