using Chorus.Simulation.Report;
using CsCheck;

namespace Chorus.Simulation.Tests.Report;

public sealed class SvgChartTests
{
    [Theory]
    [InlineData(0, 1, "0 0.2 0.4 0.6 0.8 1")]
    [InlineData(0, 8, "0 2 4 6 8")]
    [InlineData(0.09, 0.21, "0.1 0.12 0.14 0.16 0.18 0.2")]
    [InlineData(-5, 25, "0 10 20")]
    public void Given_limits_When_ticked_Then_the_numbers_are_round(double min, double max, string expected) =>
        Assert.Equal(expected, string.Join(' ', SvgChart.RoundTicks(min, max).Select(t => Words.Number(t))));

    [Fact]
    public void Given_any_limits_When_ticked_Then_there_are_three_to_eight_within() =>
        Gen.Select(Gen.Double[-1e4, 1e4], Gen.Double[1e-3, 1e5]).Sample((min, length) =>
        {
            double[] ticks = SvgChart.RoundTicks(min, min + length);
            return ticks.Length is >= 3 and <= 8 && ticks.All(t => t >= min - 1e-6 * length && t <= min + length * (1 + 1e-6));
        });

    [Theory]
    [InlineData(0, "0 s")]
    [InlineData(3.24e-6, "3 µs")]
    [InlineData(0.0404, "40.4 ms")]
    [InlineData(59.4, "59 s")]
    [InlineData(754.2, "12 min 34 s")]
    [InlineData(7_260, "2 h 1 min")]
    public void Given_seconds_When_written_Then_they_read_as_a_duration(double seconds, string expected) => Assert.Equal(expected, Words.Duration(seconds));

    [Theory]
    [InlineData(1e-5, "1e-5")]
    [InlineData(6.73, "6.73")]
    [InlineData(123.456, "123.46")]
    [InlineData(12345.6, "12,346")]
    [InlineData(double.NaN, "not a number")]
    public void Given_a_number_When_written_Then_it_is_short(double value, string expected) => Assert.Equal(expected, Words.Number(value));
}
