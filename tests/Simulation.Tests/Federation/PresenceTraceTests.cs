using Chorus.Simulation.Data;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Tests.Data;
using CsCheck;

namespace Chorus.Simulation.Tests.Federation;

public sealed class PresenceTraceTests : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_a_trace_When_read_Then_devices_in_the_files_order_with_intervals_joined()
    {
        PresenceTrace trace = Read("# recorded\ndevice,from,to\nb,100,200\na,0,50\n\nb, 150, 300\nb,0,10\n", TimeSpan.FromSeconds(400));
        Assert.Equal(2, trace.Devices.Length);
        Assert.Equal([(0.0, 10.0), (100.0, 300.0)], trace.Devices[0].AsEnumerable());
        Assert.Equal([(0.0, 50.0)], trace.Devices[1].AsEnumerable());
        Assert.Matches("^[0-9a-f]{64}$", trace.Sha256);
    }

    [Fact]
    public void Given_a_device_that_stays_over_midnight_When_asked_Then_until_the_end_on_the_next_day()
    {
        PresenceTrace trace = Read("device,from,to\na,82800,86400\na,0,3600\nb,0,86400\n", Day);
        Assert.Equal(86_400 + 3_600, trace.ReachableUntil(0, 83_000));
        Assert.Equal(5 * 86_400 + 3_600, trace.ReachableUntil(0, 5 * 86_400));
        Assert.Null(trace.ReachableUntil(0, 3_600));
        Assert.Equal(double.PositiveInfinity, trace.ReachableUntil(1, 99_999));
    }

    [Fact]
    public void Given_any_intervals_When_asked_at_any_time_Then_as_by_walking_on_second_by_second()
    {
        const int period = 12;
        Gen.Select(Gen.Int[0, period - 1], Gen.Int[1, period]).Array[1, 4].Select(Gen.Int[0, 40]).Sample((pairs, at) =>
        {
            (int From, int To)[] intervals = [.. pairs.Select(p => (p.Item1, To: Math.Min(period, p.Item1 + p.Item2)))];
            PresenceTrace trace = Read("device,from,to\n" + string.Join('\n', intervals.Select(i => $"a,{i.From},{i.To}")), TimeSpan.FromSeconds(period));
            bool There(int second) => intervals.Any(i => second % period >= i.From && second % period < i.To);
            int until = at;
            while (until < at + (3 * period) && There(until))
                until++;
            Assert.Equal(!There(at) ? null : until == at + (3 * period) ? double.PositiveInfinity : until, trace.ReachableUntil(0, at));
        }, iter: 300);
    }

    [Theory]
    [InlineData("", "expected at least one device, found none")]
    [InlineData("device,from,to\n", "expected at least one device, found none")]
    [InlineData("a,0,1", ":1: expected the heading device,from,to, found \"a,0,1\"")]
    [InlineData("device,from,to\na,0", ":2: expected device,from,to, found \"a,0\"")]
    [InlineData("device,from,to\n,0,1", ":2: expected device,from,to")]
    [InlineData("device,from,to\na,noon,1", ":2: expected times in seconds, found \"noon\"")]
    [InlineData("device,from,to\n\na,5,5", ":3: expected 0 <= from < to <= 86400 (the period in seconds), found from 5, to 5")]
    [InlineData("device,from,to\na,-1,5", "found from -1, to 5")]
    [InlineData("device,from,to\na,0,86401", "found from 0, to 86401")]
    [InlineData("device,from,to\na,0,NaN", "found from 0, to NaN")]
    public void Given_what_is_no_trace_When_read_Then_says_line_and_what_was_expected(string content, string says) =>
        Assert.Contains(says, Assert.Throws<DataFormatException>(() => Read(content, Day)).Message, StringComparison.Ordinal);

    [Fact]
    public void Given_no_file_When_read_Then_says_so() =>
        Assert.EndsWith("found no such file", Assert.Throws<DataFormatException>(() => PresenceTrace.Read(Path.Combine(_folder.Path, "none.csv"), Day)).Message, StringComparison.Ordinal);

    private PresenceTrace Read(string content, TimeSpan period) => PresenceTrace.Read(_folder.Write($"{Guid.NewGuid()}.csv", content), period);
}
