using System.Text.RegularExpressions;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Report;
using Chorus.Simulation.Tests.Data;

namespace Chorus.Simulation.Tests.Report;

public sealed partial class HtmlReportTests
{
    [Fact]
    public void Given_a_result_When_rendered_Then_the_page_needs_nothing_from_outside()
    {
        string page = HtmlReport.Render(Example.Result(diagnostics: true));
        Assert.StartsWith("<!doctype html>", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("<(script|link|img|iframe|object)", page);
        Assert.DoesNotMatch("(src|href|srcset)=", page);
        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", page, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"url\((?!#chart-)", page);
    }

    [Fact]
    public void Given_one_result_When_rendered_twice_Then_the_pages_are_the_same() =>
        Assert.Equal(HtmlReport.Render(Example.Result()), HtmlReport.Render(Example.Result()));

    [Fact]
    public void Given_texts_full_of_markup_When_rendered_Then_none_of_it_is_markup()
    {
        const string evil = "<script>alert('x')</script>\"&";
        RunResult result = Example.Result(diagnostics: true);
        result = result with
        {
            Run = evil,
            Command = evil,
            Settings = evil,
            Method = evil,
            Data = new DataReference(evil, evil),
            Samples = new SampleTexts([evil], [evil]),
            Downstream = [new DownstreamArm(evil, 1, 0.5, 0.5, 1) { Topics = [new TopicAccuracy(evil, 1, 0.5), new TopicAccuracy("b", 1, 0.5)] }],
            Privacy = result.Privacy with { Statement = evil, Sampling = evil, Unit = evil, Adjacency = evil },
            Versions = new VersionResult(evil, evil, evil, evil, evil, 2),
            Seconds = new RunSeconds(1, [new PhaseSeconds(evil, 1)]),
            Rounds = [Example.Round(1, true) with { ClientsSha256 = evil, CandidatesSha256 = evil, ReleaseSha256 = evil }],
        };
        string page = HtmlReport.Render(result);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("\"&\"", page, StringComparison.Ordinal);
        Assert.Equal(27, Regex.Count(page, Regex.Escape("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(200)]
    public void Given_any_number_of_rounds_When_rendered_Then_there_is_a_page_with_distinct_ids(int rounds)
    {
        string page = HtmlReport.Render(Example.Result(rounds, diagnostics: true));
        string[] ids = [.. Ids().Matches(page).Select(m => m.Groups[1].Value)];
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.DoesNotMatch("NaN|Infinity", page);
        Assert.All(References().Matches(page), m => Assert.Contains(m.Groups[1].Value, ids));
    }

    [Fact]
    public void Given_nothing_measured_When_rendered_Then_the_page_says_so()
    {
        RunResult result = Example.Result() with { Accuracy = null, GapClosed = null, Final = null, Downstream = [], Rounds = [], Samples = new SampleTexts([], []) };
        string page = HtmlReport.Render(result);
        Assert.Contains("No accuracy was measured.", page, StringComparison.Ordinal);
        Assert.Contains("No round was closed", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_one_accuracy_and_flat_distances_When_rendered_Then_charts_are_drawn()
    {
        RunResult result = Example.Result() with { Accuracy = new AccuracyResult(0, null, null), GapClosed = null };
        result = result with { Rounds = [.. result.Rounds.Select(r => r with { Fid = 0, EpsilonSoFar = 0 })], Privacy = result.Privacy with { Budget = 0 } };
        string page = HtmlReport.Render(result);
        Assert.Equal(3, Regex.Count(page, "<svg "));
        Assert.DoesNotMatch("NaN|Infinity|∞", page);
    }

    [Fact]
    public void Given_reproducible_noise_When_rendered_Then_a_loud_banner_says_not_private()
    {
        Assert.Contains("Not private: noise is reproducible", HtmlReport.Render(Example.Result(reproducible: true)), StringComparison.Ordinal);
        Assert.DoesNotContain("Not private", HtmlReport.Render(Example.Result()), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_no_noise_When_rendered_Then_a_loud_banner_says_no_guarantee()
    {
        RunResult result = Example.Result();
        result = result with { Privacy = result.Privacy with { NoiseMultiplier = 0, Epsilon = double.PositiveInfinity } };
        string page = HtmlReport.Render(result);
        Assert.Contains("Not private: no noise was added", page, StringComparison.Ordinal);
        Assert.Contains("ε ∞", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_diagnostics_When_rendered_Then_kept_pairs_are_shown_and_marked_not_private()
    {
        string with = HtmlReport.Render(Example.Result(diagnostics: true)), without = HtmlReport.Render(Example.Result());
        Assert.Contains("Pairs the noise left right <span class=\"tag\">not private</span>", with, StringComparison.Ordinal);
        Assert.Contains("Not private: diagnostics are on", with, StringComparison.Ordinal);
        Assert.DoesNotContain("left right", without, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_text_measures_When_rendered_Then_copies_of_private_texts_are_shown_only_where_they_were_counted_and_are_marked()
    {
        string with = HtmlReport.Render(Example.Result(diagnostics: true)), without = HtmlReport.Render(Example.Result());
        Assert.Contains("texts that copy a private <span class=\"tag\">not private</span> text</td><td>12.0%</td><td>13.0%</td>", with, StringComparison.Ordinal);
        Assert.DoesNotContain("copy a private", without, StringComparison.Ordinal);
        Assert.Contains("texts that copy a public text</td><td>21.4%</td><td>20.7%</td>", without, StringComparison.Ordinal);
        Assert.DoesNotContain("What the synthetic texts are like", HtmlReport.Render(Example.Result() with { Texts = null }), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_rounds_that_closed_at_their_deadline_When_rendered_Then_the_report_says_how_many_clients_were_left_out()
    {
        var run = Example.Result();
        var page = HtmlReport.Render(run with { Rounds = [Example.Round(1) with { ClientsCounted = 2_000 }, Example.Round(2), Example.Round(3)] });
        Assert.Contains("2 rounds closed at the deadline, without 8 sampled clients in all", page, StringComparison.Ordinal);
        Assert.DoesNotContain("closed at the deadline", HtmlReport.Render(run with { Rounds = [Example.Round(1) with { ClientsCounted = 2_000 }] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_turnout_When_rendered_Then_who_was_asked_who_answered_and_who_was_late_is_drawn_and_listed()
    {
        RunResult result = Example.Result(3);
        Assert.DoesNotContain("Who answered", HtmlReport.Render(result), StringComparison.Ordinal);
        result = result with { Rounds = [.. result.Rounds.Select(r => r with { Turnout = new Turnout(2_600, 310, 120, 95, 79, 1_996, 431.5) })] };
        string page = HtmlReport.Render(result);
        Assert.Contains("<tr><td>2</td><td>2,600</td><td>310</td><td>120</td><td>95</td><td>79</td><td>1,996</td><td>7 min 12 s</td></tr>", page, StringComparison.Ordinal);
        Assert.Contains("counted 76.8%, late or turned away 6.7%, away or dropped out 16.5%", page, StringComparison.Ordinal);
        Assert.Contains("1,996 / 2,600", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_accuracies_by_topic_When_rendered_Then_a_row_a_topic_and_a_column_an_arm()
    {
        string page = HtmlReport.Render(Example.Result());
        Assert.Contains("<th>floor</th><th>popri</th><th>ceiling</th>", page, StringComparison.Ordinal);
        Assert.Contains("<tr><td>border, asylum, visa</td><td>50,000</td><td>62.20%</td><td>66.10%</td><td>70.10%</td></tr>", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.42, "closed 42% of the gap")]
    [InlineData(1.3, "closed the whole gap")]
    [InlineData(0.001, "closed no gap")]
    [InlineData(-0.4, "did not help")]
    public void Given_a_share_of_the_gap_When_headed_Then_the_words_fit_it(double share, string words) =>
        Assert.Contains(words, Headline.Title(Example.Result() with { GapClosed = share }), StringComparison.Ordinal);

    [Fact]
    public void Given_no_accuracy_When_headed_Then_the_distance_tells()
    {
        RunResult result = Example.Result() with { Accuracy = null, GapClosed = null };
        Assert.StartsWith("Feedback brought the model's texts nearer", Headline.Title(result), StringComparison.Ordinal);
        Assert.StartsWith("Feedback did not bring", Headline.Title(result with { Final = new FinalDistance(9, null) }), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_path_When_written_Then_the_page_is_there_and_nothing_else()
    {
        using var folder = new TemporaryFolder();
        HtmlReport.Write(Example.Result(), Path.Combine(folder.Path, "report.html"));
        Assert.Equal(HtmlReport.Render(Example.Result()), File.ReadAllText(Path.Combine(folder.Path, "report.html")));
        Assert.Single(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [GeneratedRegex(" id=\"([^\"]*)\"")]
    private static partial Regex Ids();

    [GeneratedRegex("(?:url\\(#|aria-labelledby=\")([^)\"]*)")]
    private static partial Regex References();
}
