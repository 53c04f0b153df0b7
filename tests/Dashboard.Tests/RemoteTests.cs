using System.Net;
using Chorus.Actors.Settings;
using Chorus.Dashboard.Tests.Support;

namespace Chorus.Dashboard.Tests;

/// <summary>Where other machines can reach the page.</summary>
public sealed class RemoteTests : IDisposable
{
    private readonly ExampleRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Given_an_address_that_others_reach_When_read_without_the_token_Then_nothing_of_the_run_is_told()
    {
        await using var served = await Served.StartAsync("0.0.0.0");
        served.Server.Show(_run.View(text: "some candidate"));
        Assert.True(served.Server.ReadNeedsToken);

        using var events = await served.SendAsync(HttpMethod.Get, "/events");
        Assert.Equal(HttpStatusCode.Unauthorized, events.StatusCode);
        var page = await served.Client.GetStringAsync("/");
        Assert.DoesNotContain(_run.Run, page, StringComparison.Ordinal);
        Assert.DoesNotContain("some candidate", page, StringComparison.Ordinal);
        Assert.Empty(served.Watched); // a look without the token makes nobody work

        var parts = await served.FollowAsync(p => p.ContainsKey("texts"), served.Token.Value);
        Assert.Contains("some candidate", parts["texts"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_this_machine_alone_When_read_Then_no_token_is_needed()
    {
        await using var served = await Served.StartAsync();
        served.Server.Show(_run.View());
        Assert.False(served.Server.ReadNeedsToken);
        Assert.Contains(_run.Run, await served.Client.GetStringAsync("/"), StringComparison.Ordinal);
        Assert.Equal($"#token={served.Token.Value}", served.Server.AddressWithToken.Fragment);
    }

    [Fact]
    public async Task Given_a_port_in_use_When_asked_for_Then_it_is_said_and_the_usual_one_gives_way_to_the_next()
    {
        await using var first = await Served.StartAsync();
        var refused = await Assert.ThrowsAsync<SettingsException>(() => Served.StartAsync(port: first.Port));
        Assert.Contains($"port {first.Port} is in use", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--dashboard PORT", Assert.Throws<SettingsException>(() => DashboardServer.Check("127.0.0.1", first.Port)).Message, StringComparison.Ordinal);

        var options = new DashboardOptions { Token = AccessToken.Fresh() };
        await using var usual = await DashboardServer.StartAsync(options);
        await using var next = await DashboardServer.StartAsync(options);
        Assert.True(next.Address.Port > usual.Address.Port);
    }

    [Theory]
    [InlineData("no.such.host.invalid", 0)]
    [InlineData("203.0.113.7", 0)]
    [InlineData("127.0.0.1", 70_000)]
    [InlineData("127.0.0.1", -1)]
    public void Given_an_address_that_is_not_here_When_checked_Then_it_is_said(string host, int port) =>
        Assert.Throws<SettingsException>(() => DashboardServer.Check(host, port));
}
