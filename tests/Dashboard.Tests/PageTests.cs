using System.Text.RegularExpressions;
using Chorus.Dashboard.Parts;
using Chorus.Dashboard.Tests.Support;

namespace Chorus.Dashboard.Tests;

/// <summary>What is on the page.</summary>
public sealed partial class PageTests
{
    private const string Evil = "<script>alert('x')</script>\"&";

    [Fact]
    public async Task Given_the_largest_page_When_weighed_Then_all_of_it_is_under_300_kB()
    {
        using var run = new ExampleRun(rounds: 400);
        await using var served = await Served.StartAsync();
        served.Server.Show(run.View(done: 399, nodes: 60, text: new string('x', 600)));
        var weight = 0;
        foreach (var target in Routes.Targets.Keys.Where(t => Routes.Targets[t] == "GET" && t != "/events"))
            weight += (await served.Client.GetByteArrayAsync(target)).Length;
        Assert.InRange(weight, 10_000, 300_000);
    }

    [Fact]
    public async Task Given_a_page_that_was_just_served_When_it_listens_Then_nothing_is_sent_twice_unless_the_server_is_another()
    {
        using var run = new ExampleRun();
        await using var served = await Served.StartAsync();
        served.Server.Show(run.View());
        var seen = Regex.Match(await served.Client.GetStringAsync("/"), "data-seen=\"([^\"]*)\"").Groups[1].Value;
        Assert.Equal(["beat"], (await served.FollowAsync(p => p.ContainsKey("beat"), headers: ("Last-Event-ID", seen))).Keys);
        Assert.True((await served.FollowAsync(p => p.ContainsKey("beat"), headers: ("Last-Event-ID", "00000000-9"))).Count > 10);
    }

    [Fact]
    public async Task Given_texts_of_others_When_shown_Then_none_of_them_is_markup()
    {
        using var run = new ExampleRun();
        await using var served = await Served.StartAsync();
        served.Server.Show(run.View(text: Evil, evil: Evil));
        var page = await served.Client.GetStringAsync("/");

        Assert.DoesNotContain("<script>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("'x'", page, StringComparison.Ordinal);
        Assert.True(Regex.Count(page, "&lt;script&gt;alert") > 8);
    }

    [Fact]
    public async Task Given_the_page_When_read_Then_it_needs_nothing_from_elsewhere_and_nothing_inline()
    {
        using var run = new ExampleRun(more: "chorus.diagnostics = on");
        await using var served = await Served.StartAsync();
        served.Server.Show(run.View());
        var page = await served.Client.GetStringAsync("/");

        Assert.DoesNotMatch("https?://", page);
        Assert.DoesNotMatch(" (style|on[a-z]+)=", page);
        Assert.DoesNotContain("<style", page, StringComparison.Ordinal);
        Assert.All(Loads().Matches(page), m => Assert.StartsWith("/", m.Groups[1].Value, StringComparison.Ordinal));
        var css = await served.Client.GetStringAsync("/page.css");
        Assert.DoesNotMatch("https?://|@import|url\\(", css);
        Assert.DoesNotMatch("https?://", await served.Client.GetStringAsync("/page.js"));
    }

    [Fact]
    public async Task Given_every_picture_When_looked_for_Then_it_has_words_that_its_id_finds_and_ids_are_distinct()
    {
        using var run = new ExampleRun();
        await using var served = await Served.StartAsync();
        served.Server.Show(run.Done());
        var page = await served.Client.GetStringAsync("/");

        string[] ids = [.. Ids().Matches(page).Select(m => m.Groups[1].Value)];
        Assert.Equal(ids.Length, ids.Distinct().Count());
        var pictures = Pictures().Matches(page);
        Assert.True(pictures.Count >= 7, $"{pictures.Count} pictures");
        Assert.All(pictures, m => Assert.Contains($"<title id=\"{m.Groups[1].Value}\">", page, StringComparison.Ordinal));
        Assert.All(Regex.Matches(page, "<title id=\"[^\"]*\">([^<]*)"), m => Assert.NotEqual("", m.Groups[1].Value.Trim()));
        Assert.DoesNotMatch("NaN|Infinity", page);
    }

    [Fact]
    public void Given_a_run_that_has_not_begun_When_drawn_Then_every_part_says_so()
    {
        using var run = new ExampleRun();
        var view = new Chorus.Actors.Watch.RunView { Facts = run.Facts, At = ExampleRun.At(0), StepSince = ExampleRun.At(0) };
        var parts = RunParts.Of(view, null, controllable: true).ToDictionary(p => p.Id, p => p.Markup);
        Assert.Contains("Getting ready", parts["now"], StringComparison.Ordinal);
        Assert.Contains("No node has joined yet", parts["cluster"], StringComparison.Ordinal);
        Assert.Contains("No candidate is written yet", parts["texts"], StringComparison.Ordinal);
        Assert.Contains("It is measured after the last round", parts["accuracy"], StringComparison.Ordinal);
        Assert.All(parts.Values, p => Assert.DoesNotMatch("NaN|Infinity|∞", p));
    }

    [Fact]
    public void Given_a_view_that_differs_in_its_time_alone_When_drawn_Then_no_chart_is_drawn_again()
    {
        using var run = new ExampleRun();
        var view = run.View();
        string[] ids = [.. RunParts.Of(view with { At = view.At.AddSeconds(1) }, view, controllable: true).Select(p => p.Id)];
        Assert.Contains("now", ids);
        Assert.All(new[] { "accuracy", "distance", "epsilon", "rounds", "votes-by-round", "texts", "banner" }, id => Assert.DoesNotContain(id, ids));
    }

    [GeneratedRegex("(?:src|href)=\"([^#\"][^\"]*)\"")]
    private static partial Regex Loads();

    [GeneratedRegex(" id=\"([^\"]*)\"")]
    private static partial Regex Ids();

    [GeneratedRegex("role=\"img\" aria-labelledby=\"([^\"]*)\"")]
    private static partial Regex Pictures();
}
