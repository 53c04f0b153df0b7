using System.Text.RegularExpressions;
using System.Xml.Linq;
using Chorus.Simulation.Report;

namespace Chorus.Simulation.Tests.Report;

/// <summary>Time line, cluster, sparks and shares: what they draw, and that any input gives a picture that can be read.</summary>
public sealed partial class PictureTests
{
    private static readonly string[] Lanes = ["prepare", "write", "vote", "learn", "measure"];

    [Theory]
    [InlineData(7, "0 s, 1 s, 2 s, 3 s, 4 s, 5 s, 6 s")]
    [InlineData(378, "0 s, 1 min, 2 min, 3 min, 4 min, 5 min, 6 min")]
    [InlineData(40_000, "0 s, 2 h, 4 h, 6 h, 8 h, 10 h")]
    [InlineData(1_000_000, "0 s, 2 d, 4 d, 6 d, 8 d, 10 d")]
    public void Given_a_length_When_ticked_Then_the_times_are_round(double seconds, string expected) =>
        Assert.Equal(expected, string.Join(", ", TimeLine.Ticks(seconds).Select(TimeLine.Time)));

    [Fact]
    public void Given_any_length_When_ticked_Then_there_are_few_and_all_lie_within()
    {
        for (double length = 2; length < 1e8; length *= 1.13)
        {
            double[] ticks = [.. TimeLine.Ticks(length)];
            Assert.InRange(ticks.Length, 2, 9);
            Assert.All(ticks, t => Assert.InRange(t, 0, length));
        }
    }

    [Fact]
    public void Given_phases_When_drawn_Then_each_bar_lies_where_its_time_is()
    {
        string line = TimeLine.Draw("t", "words", Lanes, [new(1, 0, 25), new(2, 25, 50), new(4, 75, 100, AtWork: true)], [(1, 0)]).Markup;
        string[] paths = [.. Paths().Matches(line).Select(m => m.Groups[1].Value)];
        Assert.Equal(["", "", "M0 0H250V14H0Z", "", "M250 0H500V14H250Z", "", "", "", "", "M750 0H1000V14H750Z"], paths); // done and at work, lane by lane
        Assert.Contains("<title id=\"t-title\">words</title>", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_thousand_rounds_When_drawn_Then_the_line_is_no_more_bytes_than_it_is_wide()
    {
        var bars = Enumerable.Range(0, 1000).SelectMany(r => Enumerable.Range(1, 4).Select(l => new TimeLine.Bar(l, 10 * r + 2 * l, 10 * r + 2 * l + 2))).ToArray();
        string line = TimeLine.Draw("t", "words", Lanes, bars, [.. Enumerable.Range(0, 1000).Select(r => (r + 1, 10.0 * r))]).Markup;
        Assert.InRange(line.Length, 1000, 100_000);
        Assert.InRange(Regex.Count(line, "stroke-round"), 10, 21);
    }

    [Fact]
    public void Given_rounds_close_together_after_a_pause_When_drawn_Then_no_number_lies_on_another()
    {
        string line = TimeLine.Draw("t", "words", Lanes, [new(1, 0, 100)], [(1, 5), (2, 90), (3, 92), (4, 96)]).Markup;
        Assert.Equal(["1", "2", "4"], Regex.Matches(line, "dx=\"2\">([0-9]+)<").Select(m => m.Groups[1].Value));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(12, 12)]
    [InlineData(13, 0)]
    [InlineData(300, 0)]
    public void Given_any_number_of_nodes_When_drawn_Then_each_is_there_and_few_have_words(int others, int withWords)
    {
        var nodes = Enumerable.Range(0, others).Select(i => new DrawnNode($"10.0.0.{i}:4053", "client", "3 shards", 0.5, 1.0 / others, (NodeLook)(i % 4))).ToArray();
        string picture = ClusterPicture.Draw("c", "words", new DrawnNode("10.0.0.99:4053", "coordinator", "up", 0.2, 0, NodeLook.Well), nodes).Markup;
        XElement svg = XElement.Parse(picture);
        Assert.Equal(others + 1, svg.Elements("g").Count());
        Assert.Equal(withWords + 1, svg.Elements("g").Count(g => g.Elements("text").Any()));
        Assert.Equal(others / 4 + (others % 4 > 2 ? 1 : 0), svg.Elements("g").Count(g => ((string)g.Attribute("class")!).Contains("unreachable", StringComparison.Ordinal)));
        double height = double.Parse(((string)svg.Attribute("viewBox")!).Split(' ')[3], System.Globalization.CultureInfo.InvariantCulture);
        foreach (XElement box in svg.Elements("g").Select(g => g.Element("rect")!))
        {
            double Of(string name) => double.Parse((string)box.Attribute(name)!, System.Globalization.CultureInfo.InvariantCulture);
            Assert.InRange(Of("x"), 0, ClusterPicture.Width - Of("width"));
            Assert.InRange(Of("y"), 0, height - Of("height"));
        }
    }

    [Fact]
    public void Given_names_full_of_markup_When_drawn_Then_none_of_it_is_markup()
    {
        const string evil = "<script>\"&";
        var node = new DrawnNode(evil, evil, evil, 0.1, 1, NodeLook.Well);
        string[] pictures =
        [
            ClusterPicture.Draw("c", evil, node, [node]).Markup, TimeLine.Draw("t", evil, [evil], [new(0, 0, 1)], []).Markup,
            Spark.Draw("s", evil, [1, 2], 10).Markup, ShareBar.Draw("b", evil, [(evil, 0.5, 1)]).Markup,
        ];
        Assert.All(pictures, p => Assert.DoesNotContain("<script", p, StringComparison.Ordinal));
        Assert.All(pictures, p => XElement.Parse($"<p>{p}</p>")); // whole, with every quote in its place
    }

    [Theory]
    [InlineData(new double[0])]
    [InlineData(new double[] { 5 })]
    [InlineData(new double[] { 0, 0, 0 })]
    [InlineData(new double[] { 1, double.NaN, double.PositiveInfinity, 2 })]
    public void Given_any_figures_When_drawn_as_a_spark_Then_the_line_stays_inside(double[] values)
    {
        string spark = Spark.Draw("s", "words", values, 10).Markup;
        Assert.DoesNotMatch("NaN|∞|Infinity", spark);
        foreach (Match point in Points().Matches(spark))
        {
            Assert.InRange(int.Parse(point.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), 10 - values.Length, 10);
            Assert.InRange(double.Parse(point.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture), 0, 40);
        }
    }

    [Fact]
    public void Given_shares_over_one_When_drawn_Then_the_bar_is_full_and_no_longer() =>
        Assert.Equal(
            ["x=\"0%\" width=\"70%\"", "x=\"70%\" width=\"30%\"", "x=\"100%\" width=\"0%\""],
            Regex.Matches(ShareBar.Draw("b", "words", [("a", 0.7, 1), ("b", 0.7, 2), ("c", 0.7, 3)]).Markup, "x=\"[^\"]*\" width=\"[^\"]*\"").Select(m => m.Value));

    [Fact]
    public void Given_rounds_that_are_still_to_come_When_drawn_Then_the_axis_reaches_them()
    {
        Assert.Contains(">20</text>", RoundCharts.Distance([(1, 0.3), (2, 0.2)], lastPlanned: 20).Markup, StringComparison.Ordinal);
        Assert.DoesNotContain(">20</text>", RoundCharts.Distance([(1, 0.3), (2, 0.2)]).Markup, StringComparison.Ordinal);
        Assert.Contains("nothing to draw", RoundCharts.Votes([]).Markup, StringComparison.Ordinal);
    }

    [GeneratedRegex(" d=\"([^\"]*)\"")]
    private static partial Regex Paths();

    [GeneratedRegex("[ML](-?[0-9]+) (-?[0-9.]+)")]
    private static partial Regex Points();
}
