using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Chorus.Actors.Telemetry;

namespace Chorus.Actors.Tests.Support;

/// <summary>All that Chorus' meter says while it is listened to, of one run (other tests measure at the same time).</summary>
internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<(string Instrument, string Tags, double Value)> _seen = [];

    /// <param name="run">Null: also what has no run.</param>
    public Measurements(string? run = null)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ChorusMetrics.Name)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<int>((i, v, tags, _) => Take(run, i, v, tags));
        _listener.SetMeasurementEventCallback<long>((i, v, tags, _) => Take(run, i, v, tags));
        _listener.SetMeasurementEventCallback<double>((i, v, tags, _) => Take(run, i, v, tags));
        _listener.Start();
    }

    /// <summary>Values in the order in which they came.</summary>
    /// <param name="tags">Text that the tags (other than the run) must have: <c>phase=feedback</c>.</param>
    public double[] Of(string instrument, string tags = "") =>
        [.. _seen.Where(s => s.Instrument == instrument && s.Tags.Contains(tags, StringComparison.Ordinal)).Select(s => s.Value)];

    public void Dispose() => _listener.Dispose();

    private void Take(string? run, Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var others = "";
        var of = (string?)null;
        foreach (var (key, tag) in tags)
        {
            if (key == ChorusMetrics.RunTag)
                of = (string?)tag;
            else
                others += $"{key}={tag} ";
        }

        if (run is null || of == run)
            _seen.Enqueue((instrument.Name, others, value));
    }
}
