using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Gpu.Tests.Runtime;

public sealed class DeviceWorkTests
{
    [Fact]
    public void Given_work_on_the_cpu_When_listened_to_Then_tokens_and_the_parts_of_a_step_are_told_under_their_device()
    {
        var told = new ConcurrentQueue<(string Instrument, double Value, string Tags)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == "Chorus")
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Take(i, value, tags));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Take(i, value, tags));
        listener.Start();

        var work = new DeviceWork(torch.CPU, "work-of-this-test"); // other tests work at the same time
        work.Begin();
        work.Took("part-of-this-test");
        work.Took("another-part-of-this-test");
        work.Tokens(7);

        Assert.Equal(("chorus.device.tokens", 7, "device=cpu work=work-of-this-test"), Assert.Single(told, t => t.Tags.Contains("work-of-this-test", StringComparison.Ordinal)));
        var parts = told.Where(t => t.Tags.Contains("part-of-this-test", StringComparison.Ordinal)).ToArray();
        Assert.Equal(["device=cpu part=part-of-this-test", "device=cpu part=another-part-of-this-test"], parts.Select(t => t.Tags));
        Assert.All(parts, p => Assert.InRange(p.Value, 0, 60));

        void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            told.Enqueue((instrument.Name, value, string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))));
    }
}
