using System.Text.Json;
using System.Xml.Linq;
using Chorus.Simulation.Privacy.Audit;
using Chorus.Simulation.Report;

namespace Chorus.Simulation.Tests.Report;

public sealed class AuditReportTests
{
    [Fact]
    public void Given_a_claim_that_stands_When_rendered_Then_the_page_shows_claim_and_bounds_and_no_alarm()
    {
        var audit = Audit(claim: 50);
        var page = AuditReport.Render(audit);

        Assert.False(audit.Refuted);
        Assert.DoesNotContain("refuted</strong>", page, StringComparison.Ordinal);
        Assert.Contains("claim 50", page, StringComparison.Ordinal);
        Assert.Contains("name &lt;&amp;", page, StringComparison.Ordinal);
        var body = page[page.IndexOf("<section class=\"charts\"", StringComparison.Ordinal)..page.IndexOf("</section>\n<h2>Guesses", StringComparison.Ordinal)];
        Assert.Equal(3, XElement.Parse(body + "</section>").Descendants("svg").Count());
        Assert.Equal(page, AuditReport.Render(Audit(claim: 50)));
    }

    [Fact]
    public void Given_a_claim_that_is_too_low_When_rendered_Then_the_page_says_so_first()
    {
        var audit = Audit(claim: 0.01);
        Assert.True(audit.Refuted);
        Assert.Contains("<strong>The claim is refuted</strong>", AuditReport.Render(audit), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_an_audit_When_written_as_json_Then_every_canary_is_in_the_histogram_and_the_figures_are_there()
    {
        using var json = JsonDocument.Parse(Audit(claim: 4).ToJson());
        var root = json.RootElement;
        Assert.Equal("chorus.audit/1", root.GetProperty("schema").GetString());
        Assert.Equal(4, root.GetProperty("claimed_epsilon").GetDouble());
        Assert.True(root.GetProperty("findings").GetProperty("epsilon_lower").GetDouble() > 0);
        var histogram = root.GetProperty("histogram");
        Assert.Equal(2000, histogram.GetProperty("in").EnumerateArray().Concat(histogram.GetProperty("out").EnumerateArray()).Sum(n => n.GetInt32()));
        var end = root.GetProperty("roc").EnumerateArray().Last();
        Assert.Equal((1.0, 1.0), (end.GetProperty("false_alarms").GetDouble(), end.GetProperty("hits").GetDouble()));
    }

    private static AuditResult Audit(double claim)
    {
        var random = new Random(1);
        CanaryScore[][] runs = [.. Enumerable.Range(0, 20).Select(_ => Enumerable.Range(0, 100).Select(_ =>
        {
            var included = random.Next(2) == 1;
            return new CanaryScore((included ? 1.5 : 0) + random.NextDouble() + random.NextDouble(), included);
        }).ToArray())];
        return AuditResult.Of("name <&", noiseMultiplier: 1, claim, delta: 1e-5, confidence: 0.95, runs, seed: 1, reproducibleNoise: true, seconds: 2);
    }
}
