using System.Net;
using Chorus.Dashboard.Tests.Support;

namespace Chorus.Dashboard.Tests;

/// <summary>What is refused, over the wire.</summary>
public sealed class GuardTests : IAsyncLifetime
{
    private readonly ExampleRun _run = new();
    private Served _served = null!;

    public async Task InitializeAsync()
    {
        _served = await Served.StartAsync();
        _served.Server.Show(_run.View());
    }

    public async Task DisposeAsync()
    {
        await _served.DisposeAsync();
        _run.Dispose();
    }

    public static TheoryData<string, string> EveryRequest
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var target in Routes.Targets.Keys)
            {
                foreach (var method in new[] { "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY" })
                    data.Add(method, target);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(EveryRequest))]
    public async Task Given_no_token_When_any_route_is_asked_by_any_method_Then_nothing_is_asked_of_the_run(string method, string target)
    {
        var said = await _served.RawAsync($"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{_served.Port}\r\nConnection: close\r\n\r\n", text => text.Contains("event: ", StringComparison.Ordinal));

        Assert.StartsWith("HTTP/1.1 ", said, StringComparison.Ordinal);
        var expected = (method, Routes.Targets[target]) switch
        {
            ("GET", "GET") => "200",
            ("HEAD", "GET") when target != "/events" => "200",
            ("POST", "POST") => "401",
            _ => "4",
        };
        Assert.StartsWith(expected, said["HTTP/1.1 ".Length..], StringComparison.Ordinal);
        Assert.Empty(_served.Asked);
    }

    [Theory]
    [InlineData("")]
    [InlineData("wrong")]
    public async Task Given_a_wrong_token_When_the_run_is_to_be_changed_Then_it_is_not(string token)
    {
        foreach (var target in new[] { "/control/pause", "/control/go-on", "/control/stop" })
        {
            using var answer = await _served.SendAsync(HttpMethod.Post, target, null, ("Authorization", $"Bearer {token}"));
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }

        foreach (var scheme in new[] { _served.Token.Value, $"Basic {_served.Token.Value}", $"Bearer {_served.Token.Value}x", $"Bearer {_served.Token.Value[..^1]}", $"bearer{_served.Token.Value}" })
        {
            using var answer = await _served.SendAsync(HttpMethod.Post, "/control/stop", null, ("Authorization", scheme));
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }

        // Neither a cookie nor a query brings it: only what a page must set itself, which pages of elsewhere cannot.
        using var cookie = await _served.SendAsync(HttpMethod.Post, "/control/stop", null, ("Cookie", $"token={_served.Token.Value}"));
        Assert.Equal(HttpStatusCode.Unauthorized, cookie.StatusCode);
        using var query = await _served.SendAsync(HttpMethod.Post, $"/control/stop?token={_served.Token.Value}");
        Assert.Equal(HttpStatusCode.NotFound, query.StatusCode);
        Assert.Empty(_served.Asked);
    }

    [Fact]
    public async Task Given_the_token_When_the_run_is_to_be_changed_Then_it_is_asked()
    {
        foreach (var target in new[] { "/control/pause", "/control/go-on", "/control/stop" })
        {
            using var answer = await _served.SendAsync(HttpMethod.Post, target, _served.Token.Value);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        }

        Assert.Equal(["pause", "go on", "stop"], _served.Asked);
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Origin", "http://127.0.0.1")]
    [InlineData("Origin", "http://127.0.0.1:1")]
    [InlineData("Origin", "https://127.0.0.1:PORT")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task Given_a_page_of_elsewhere_When_it_asks_Then_it_is_refused_even_with_the_token(string header, string value)
    {
        foreach (var (method, target) in new[] { (HttpMethod.Post, "/control/stop"), (HttpMethod.Get, "/events"), (HttpMethod.Get, "/page.js") })
        {
            using var answer = await _served.SendAsync(method, target, _served.Token.Value, (header, value.Replace("PORT", $"{_served.Port}", StringComparison.Ordinal)));
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
        }

        Assert.Empty(_served.Asked);
    }

    [Fact]
    public async Task Given_a_link_on_a_page_of_elsewhere_When_it_is_followed_Then_the_page_opens_and_in_a_frame_it_does_not()
    {
        using var link = await _served.SendAsync(HttpMethod.Get, "/", null, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"));
        Assert.Equal(HttpStatusCode.OK, link.StatusCode);
        using var frame = await _served.SendAsync(HttpMethod.Get, "/", null, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"));
        Assert.Equal(HttpStatusCode.Forbidden, frame.StatusCode);
        using var own = await _served.SendAsync(HttpMethod.Post, "/control/pause", _served.Token.Value, ("Origin", $"http://127.0.0.1:{_served.Port}"), ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(HttpStatusCode.Accepted, own.StatusCode);
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("evil.example:PORT")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:1")]
    [InlineData("127.0.0.1.evil.example:PORT")]
    [InlineData("user@127.0.0.1:PORT")]
    [InlineData("")]
    public async Task Given_another_name_that_points_here_When_asked_Then_it_is_refused(string host)
    {
        var said = await _served.RawAsync($"GET /events HTTP/1.1\r\nHost: {host.Replace("PORT", $"{_served.Port}", StringComparison.Ordinal)}\r\n\r\n");
        Assert.Matches("^HTTP/1.1 4(21|00) ", said);
        Assert.DoesNotContain("event:", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n")]
    [InlineData("GET / HTTP/1.0\r\n\r\n")]
    [InlineData("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")]
    public async Task Given_no_host_or_two_When_asked_Then_it_is_refused(string request)
    {
        var said = await _served.RawAsync(Filled(request));
        Assert.Matches("^HTTP/1.1 4", said);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    public async Task Given_a_name_of_this_machine_for_itself_When_asked_Then_it_answers(string host)
    {
        var said = await _served.RawAsync($"GET / HTTP/1.1\r\nHost: {host}:{_served.Port}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", said, StringComparison.Ordinal);
    }

    // In each the first request is made to end early for one reader and late for another; what is left would be the second.
    [Theory]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: identity\r\nContent-Length: LENGTH\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\nContent-Length: LENGTH\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: LENGTH\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nContent-Length: LENGTH\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nContent-Length: +0\r\n\r\nSMUGGLED")]
    [InlineData("POST /control/pause HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\nSMUGGLED")]
    [InlineData("GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: LENGTH\r\n\r\nSMUGGLED")]
    [InlineData("GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nSMUGGLED")]
    [InlineData("GET / HTTP/1.1\r\nHost: HOST\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nSMUGGLED")]
    [InlineData("GET /\0 HTTP/1.1\r\nHost: HOST\r\n\r\nSMUGGLED")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nSMUGGLED")]
    public async Task Given_a_request_inside_another_When_sent_Then_the_inner_one_is_never_answered_nor_done(string request)
    {
        // The smuggled request bears the token: were it read as one, the run would stop.
        var smuggled = $"POST /control/stop HTTP/1.1\r\nHost: 127.0.0.1:{_served.Port}\r\nAuthorization: Bearer {_served.Token.Value}\r\n\r\n";
        var said = await _served.RawAsync(Filled(request).Replace("LENGTH", $"{smuggled.Length}", StringComparison.Ordinal).Replace("SMUGGLED", smuggled, StringComparison.Ordinal));

        // One refusal, or the connection is simply closed; to HTTP/2 in HTTP/2's own words.
        Assert.DoesNotMatch("HTTP/1.1 [123]", said);
        Assert.InRange(said.Split("HTTP/1.1 ").Length - 1, 0, 1);
        Assert.DoesNotContain("stop", _served.Asked);
    }

    [Theory]
    [InlineData("/../page.token")]
    [InlineData("/%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("/..%2f..%2fetc%2fpasswd")]
    [InlineData("/..\\..\\etc\\passwd")]
    [InlineData("/page.css/../../../../etc/passwd")]
    [InlineData("//etc/passwd")]
    [InlineData("/./")]
    [InlineData("/%2e/")]
    [InlineData("/page%2ejs")]
    [InlineData("/control%2fstop")]
    [InlineData("/Control/Stop")]
    [InlineData("/control/stop/")]
    [InlineData("/control/../control/stop")]
    [InlineData("/run.conf")]
    [InlineData("/?x=1")]
    [InlineData("*")]
    [InlineData("etc/passwd")]
    public async Task Given_a_path_that_walks_or_is_spelled_otherwise_When_asked_Then_there_is_no_such_thing(string target)
    {
        foreach (var method in new[] { "GET", "POST" })
        {
            var said = await _served.RawAsync($"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{_served.Port}\r\nAuthorization: Bearer {_served.Token.Value}\r\nConnection: close\r\n\r\n");
            Assert.Matches("^HTTP/1.1 40[045] ", said);
        }

        Assert.Empty(_served.Asked);
    }

    [Fact]
    public async Task Given_more_than_a_page_would_send_When_sent_Then_it_is_refused_and_the_server_lives()
    {
        string[] requests =
        [
            $"GET /{new string('a', 2000)} HTTP/1.1\r\nHost: HOST\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: HOST\r\nX: {new string('a', 20_000)}\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: HOST\r\n{string.Concat(Enumerable.Range(0, 100).Select(i => $"X{i}: y\r\n"))}\r\n",
            $"POST /control/stop HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000000000000\r\n\r\n",
            $"POST /control/stop HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            $"{new string('G', 5000)} / HTTP/1.1\r\nHost: HOST\r\n\r\n",
        ];
        foreach (var request in requests)
            Assert.Matches("^HTTP/1.1 4", await _served.RawAsync(Filled(request)));
        using var answer = await _served.SendAsync(HttpMethod.Get, "/");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(_served.Asked);
    }

    [Fact]
    public async Task Given_any_answer_When_looked_at_Then_it_forbids_frames_sniffing_inline_scripts_and_caches()
    {
        foreach (var target in new[] { "/", "/page.css", "/page.js", "/icon.svg", "/events", "/nothing" })
        {
            using var answer = await _served.SendAsync(HttpMethod.Get, target);
            string Header(string name) => string.Join(',', answer.Headers.TryGetValues(name, out var values) ? values : []);
            Assert.Contains("default-src 'none'", Header("Content-Security-Policy"), StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", Header("Content-Security-Policy"), StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", Header("Content-Security-Policy"), StringComparison.Ordinal);
            Assert.Equal("nosniff", Header("X-Content-Type-Options"));
            Assert.Equal("DENY", Header("X-Frame-Options"));
            Assert.Equal("same-origin", Header("Cross-Origin-Resource-Policy"));
            Assert.Equal("no-referrer", Header("Referrer-Policy"));
            Assert.Contains("no-store", Header("Cache-Control"), StringComparison.Ordinal);
            Assert.Equal("", Header("Server"));
            Assert.Equal("", Header("Set-Cookie"));
        }
    }

    private string Filled(string request) => request.Replace("HOST", $"127.0.0.1:{_served.Port}", StringComparison.Ordinal);
}
