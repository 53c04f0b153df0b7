using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Text;
using Chorus.Actors.Watch;

namespace Chorus.Dashboard.Tests.Support;

/// <summary>A page's server on a free port, with the test as the run.</summary>
internal sealed class Served : IRunControl, IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<string> _asked = [];
    private readonly List<int> _watched = [];

    public DashboardServer Server { get; private init; } = null!;

    public AccessToken Token { get; } = AccessToken.Fresh();

    public HttpClient Client { get; private init; } = null!;

    public int Port => Server.Address.Port;

    /// <summary>What was asked of the run.</summary>
    public string[] Asked
    {
        get
        {
            lock (_asked)
                return [.. _asked];
        }
    }

    /// <summary>How many pages looked, as it was told.</summary>
    public int[] Watched
    {
        get
        {
            lock (_watched)
                return [.. _watched];
        }
    }

    /// <param name="run">What is asked of the run; null: the test.</param>
    /// <param name="watched">Told how many pages look, beside the test.</param>
    public static async Task<Served> StartAsync(string host = "127.0.0.1", int port = 0, IRunControl? run = null, Action<int>? watched = null)
    {
        var control = new Served();
        var server = await DashboardServer.StartAsync(new DashboardOptions
        {
            Host = host,
            Port = port,
            Token = control.Token,
            Control = run ?? control,
            Watched = pages =>
            {
                watched?.Invoke(pages);
                lock (control._watched)
                    control._watched.Add(pages);
            },
        });
        return new Served(control._asked, control._watched, control.Token)
        {
            Server = server,
            Client = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{server.Address.Port}"), Timeout = Patience },
        };
    }

    private Served(List<string> asked, List<int> watched, AccessToken token) => (_asked, _watched, Token) = (asked, watched, token);

    private Served()
    {
    }

    public void Pause() => Note("pause");

    public void GoOn() => Note("go on");

    public void Stop() => Note("stop");

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
    }

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string target, string? token = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, target);
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <summary>Follows the stream until the test has seen enough.</summary>
    /// <param name="until">Given the newest state of every part after each event.</param>
    public async Task<Dictionary<string, string>> FollowAsync(Func<Dictionary<string, string>, bool> until, string? token = null, params (string Name, string Value)[] headers)
    {
        using var response = await SendAsync(HttpMethod.Get, "/events", token, headers);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        using var patience = new CancellationTokenSource(Patience);
        await using var stream = await response.Content.ReadAsStreamAsync(patience.Token);
        var parts = new Dictionary<string, string>();
        try
        {
            await foreach (var item in SseParser.Create(stream).EnumerateAsync(patience.Token))
            {
                parts[item.EventType] = item.Data;
                if (until(parts))
                    return parts;
            }
        }
        catch (OperationCanceledException)
        {
            // said below, with what came
        }

        throw new InvalidOperationException($"what was waited for did not come:\n{string.Join("\n", parts.Where(p => p.Key is "state" or "now" or "log" or "tiles" or "nodes").Select(p => $"{p.Key}: {p.Value}"))}");
    }

    /// <summary>Sends bytes as they are and reads whatever comes until the server closes, or the test has enough.</summary>
    public async Task<string> RawAsync(string request, Func<string, bool>? enough = null)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var patience = new CancellationTokenSource(Patience);
        var (said, buffer) = (new StringBuilder(), new byte[8192]);
        while (await stream.ReadAsync(buffer, patience.Token) is > 0 and var read)
        {
            said.Append(Encoding.UTF8.GetString(buffer, 0, read));
            if (enough?.Invoke(said.ToString()) == true)
                break;
        }

        return said.ToString();
    }

    private void Note(string what)
    {
        lock (_asked)
            _asked.Add(what);
    }
}
