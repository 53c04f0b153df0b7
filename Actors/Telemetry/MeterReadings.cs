using System.Diagnostics.Metrics;
using System.Globalization;

namespace Chorus.Actors.Telemetry;

/// <summary>What an instrument of Chorus stands at.</summary>
/// <param name="Instrument">Its name.</param>
/// <param name="Tags">Its tags without the run, as <c>key=value</c>, comma-separated in the order of their names; empty where it has none.</param>
/// <param name="Value">A counter's total since the listening began, a histogram's sum, a gauge's last value.</param>
public sealed record Reading(string Instrument, string Tags, double Value)
{
    /// <returns>The tag's value, or null.</returns>
    public string? Tag(string name)
    {
        foreach (var tag in Tags.Split(','))
        {
            if (tag.StartsWith(name, StringComparison.Ordinal) && tag.Length > name.Length && tag[name.Length] == '=')
                return tag[(name.Length + 1)..];
        }

        return null;
    }
}

/// <summary>
/// Listens to this process's instruments of Chorus and adds them up, as an exporter of OpenTelemetry does: so whoever shows
/// these tells the same numbers. What is tagged with another run is left out.
/// </summary>
public sealed class MeterReadings : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Instrument, string Tags), double> _values = [];
    private readonly MeterListener _listener = new();
    private readonly string _run;

    public MeterReadings(string run)
    {
        _run = run;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ChorusMetrics.Name)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>All readings now.</summary>
    public IReadOnlyList<Reading> Now()
    {
        _listener.RecordObservableInstruments();
        lock (_lock)
            return [.. _values.Select(v => new Reading(v.Key.Instrument, v.Key.Tags, v.Value))];
    }

    public void Dispose() => _listener.Dispose();

    private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (Text(tags) is not { } text)
            return;
        var key = (instrument.Name, text);
        lock (_lock)
            _values[key] = IsAbsolute(instrument) || !_values.TryGetValue(key, out var before) ? value : before + value;
    }

    /// <summary>Whether a measurement says where the instrument stands, and not by how much it went on.</summary>
    private static bool IsAbsolute(Instrument instrument) => instrument.IsObservable || instrument.GetType().GetGenericTypeDefinition() == typeof(Gauge<>);

    /// <returns>Null where the tags name another run.</returns>
    private string? Text(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
            return "";
        var parts = new List<string>(tags.Length);
        foreach (var (key, value) in tags)
        {
            if (key != ChorusMetrics.RunTag)
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{key}={value}"));
            else if (value as string != _run)
                return null;
        }

        parts.Sort(StringComparer.Ordinal);
        return string.Join(',', parts);
    }
}
