using System.Net;
using System.Net.Http.Headers;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

/// <summary>The page that comes with a run, over real processes.</summary>
[Collection(CliCollection.Name)]
public sealed class DashboardTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_a_run_with_a_page_When_it_crashes_and_is_resumed_on_the_port_Then_the_token_still_fits_and_stop_stops_it()
    {
        var output = _folder.Fresh("page");
        string address;
        await using (var first = ChildProcess.Chorus(_folder, "simulate", "--run", _folder.TinyRun, "--out", output, "--dashboard", "0", "--set", "policy.pretraining.steps=1000000"))
        {
            address = AddressIn(await first.LineAsync("page: "));
            await first.LineAsync("pretrain");
            using var client = new HttpClient { BaseAddress = new Uri(address) };
            Assert.Contains("tiny-", await client.GetStringAsync("/"), StringComparison.Ordinal);
            using var refused = await client.PostAsync("/control/stop", null);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            Assert.DoesNotContain(Token(output), first.Output + first.Errors, StringComparison.Ordinal); // a log is read by others
            first.Kill();
            await first.ExitAsync();
        }

        var port = new Uri(address).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var token = Token(output);
        await using var second = ChildProcess.Chorus(_folder, "simulate", "--resume", "--out", output, "--dashboard", port);
        Assert.Equal(address, AddressIn(await second.LineAsync("page: ")));
        await second.LineAsync("pretrain");
        using var bearer = new HttpClient { BaseAddress = new Uri(address) };
        bearer.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var stopped = await bearer.PostAsync("/control/stop", null);
        Assert.Equal(HttpStatusCode.Accepted, stopped.StatusCode);

        Assert.Equal(ExitCode.Failed, await second.ExitAsync());
        Assert.Contains($"the run was stopped from its page; nothing was lost, go on with --resume --out {output}", second.Errors, StringComparison.Ordinal);
        Assert.Equal(token, Token(output)); // who resumes it keeps the pages that are open
    }

    [Fact]
    public async Task Given_a_finished_run_When_its_page_is_asked_for_Then_it_is_served_from_the_folder_until_ended()
    {
        var run = await shared.UndisturbedAsync();
        Assert.True(run.ExitCode == ExitCode.Done, run.Errors);
        await using var page = ChildProcess.Chorus(_folder, "dashboard", run.Folder, "--port", "0");
        using var client = new HttpClient { BaseAddress = new Uri(AddressIn(await page.LineAsync("page: "))) };
        var shown = await client.GetStringAsync("/");

        Assert.Contains("Done", shown, StringComparison.Ordinal);
        Assert.Contains("2 / 2", shown, StringComparison.Ordinal);
        foreach (var release in RunResultView.Of(run.Folder).Releases)
            Assert.Contains(release[..12], shown, StringComparison.Ordinal);
        await page.TerminateAsync();
        Assert.Equal(ExitCode.Done, await page.ExitAsync(TimeSpan.FromSeconds(20)));
    }

    [Theory]
    [InlineData("--dashboard 70000", "page's port")]
    [InlineData("--dashboard --dashboard-host no.such.host.invalid", "no address of this machine")]
    [InlineData("--dashboard-host 127.0.0.1", "goes with --dashboard")]
    public async Task Given_a_page_that_cannot_be_served_When_a_run_is_started_Then_it_is_bad_input_and_nothing_is_written(string options, string said)
    {
        var output = _folder.Fresh("refused");
        await using var chorus = ChildProcess.Chorus(_folder, ["simulate", "--run", _folder.TinyRun, "--out", output, .. options.Split(' ')]);

        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains(said, chorus.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }

    [Fact]
    public async Task Given_a_folder_without_a_run_When_its_page_is_asked_for_Then_it_is_bad_input()
    {
        await using var chorus = ChildProcess.Chorus(_folder, "dashboard", _folder.Path);

        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains("holds no run", chorus.Errors, StringComparison.Ordinal);
    }

    private static string AddressIn(string line) => line["page: ".Length..].Split(' ')[0];

    private static string Token(string output) => File.ReadAllText(Path.Combine(output, "page.token"));
}
