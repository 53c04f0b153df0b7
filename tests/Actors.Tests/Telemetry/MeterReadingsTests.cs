using Chorus.Actors.Telemetry;

namespace Chorus.Actors.Tests.Telemetry;

public sealed class MeterReadingsTests
{
    [Fact]
    public void Given_counters_gauges_and_histograms_When_read_Then_sums_last_values_and_sums()
    {
        using var readings = new MeterReadings("readings-run");
        ChorusMetrics.ClientsLost.Add(3, ChorusMetrics.Of("readings-run"));
        ChorusMetrics.ClientsLost.Add(4, ChorusMetrics.Of("readings-run"));
        ChorusMetrics.ClientsCounted.Record(10, ChorusMetrics.Of("readings-run"));
        ChorusMetrics.ClientsCounted.Record(7, ChorusMetrics.Of("readings-run"));
        ChorusMetrics.PhaseSeconds.Record(1.5, ChorusMetrics.Of("readings-run", "phase", "learn"));
        ChorusMetrics.PhaseSeconds.Record(2.5, ChorusMetrics.Of("readings-run", "phase", "learn"));
        ChorusMetrics.ClientsLost.Add(100, ChorusMetrics.Of("another-run"));

        var now = readings.Now();
        Assert.Equal(7, now.Single(r => r.Instrument == "chorus.clients.lost").Value);
        Assert.Equal(7, now.Single(r => r.Instrument == "chorus.clients.counted").Value);
        var learn = now.Single(r => r.Instrument == "chorus.phase.duration");
        Assert.Equal((4, "learn", null), (learn.Value, learn.Tag("phase"), learn.Tag("phas")));
    }

    [Fact]
    public void Given_nobody_listens_any_more_When_measured_Then_nothing_is_taken()
    {
        var readings = new MeterReadings("over-run");
        readings.Dispose();
        ChorusMetrics.ClientsLost.Add(3, ChorusMetrics.Of("over-run"));
        Assert.Empty(readings.Now());
    }
}
