using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Threading.Channels;
using Chorus.Actors.Settings;
using Chorus.Actors.Watch;
using Chorus.Dashboard.Parts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Chorus.Dashboard;

/// <summary>
/// Serves one run's page: the page, its style and script, a stream of what changes on it, and what may be asked of the run.
/// A view that is shown is drawn at most twice a second, once for all pages, and only while one is open.
/// </summary>
public sealed class DashboardServer : IAsyncDisposable
{
    /// <summary>Free ports that are tried where none is named and the usual one is taken.</summary>
    private const int PortsTried = 20;

    private const int MostPages = 64;

    private static readonly TimeSpan DrawEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(2);

    private readonly DashboardOptions _options;
    private readonly PartBoard _board = new();
    private readonly OpenPages _pages;
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _drawing = new();

    // One place, the newest wins: whoever shows a view never waits for it to be drawn.
    private readonly Channel<RunView> _views = Channel.CreateBounded<RunView>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private WebApplication? _app;
    private Task _drawn = Task.CompletedTask;
    private RunView? _latest;
    private RunView? _onBoard;
    private int _disposed;

    private DashboardServer(DashboardOptions options)
    {
        _options = options;
        _pages = new OpenPages(MostPages, options.Watched, Linger, TimeProvider.System);
    }

    /// <summary>The page's address.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1");

    /// <summary>The page's address with the token where scripts of the page find it and servers do not: behind the #.</summary>
    public Uri AddressWithToken => new(Address, $"/#token={_options.Token.Value}");

    /// <summary>Whether the page is read with its token only: where it can be reached from other machines.</summary>
    public bool ReadNeedsToken { get; private set; }

    /// <summary>Checks what can be known before anything is started.</summary>
    /// <exception cref="SettingsException">The port is in use, or the host is not this machine's.</exception>
    public static void Check(string host, int? port)
    {
        if (port is < 0 or > 65535)
            throw new SettingsException($"the page's port must be in [0, 65535], got {port}; 0 takes a free one");
        var address = AddressOf(host);
        try
        {
            using var probe = new TcpListener(address, port ?? 0);
            probe.Start();
        }
        catch (SocketException e)
        {
            throw CannotListen(host, port ?? 0, e);
        }
    }

    /// <summary>Listens from now on.</summary>
    /// <exception cref="SettingsException">The port is in use, or the host is not this machine's.</exception>
    public static async Task<DashboardServer> StartAsync(DashboardOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var server = new DashboardServer(options);
        var first = options.Port ?? DashboardOptions.UsualPort;
        for (var port = first; ; port++)
        {
            try
            {
                await server.ListenAsync(AddressOf(options.Host), port);
                return server;
            }
            catch (IOException e) when (e.GetBaseException() is SocketException socket)
            {
                await server._app!.DisposeAsync();
                if (options.Port is not null || port - first >= PortsTried || socket.SocketErrorCode != SocketError.AddressAlreadyInUse)
                    throw CannotListen(options.Host, port, socket);
            }
            catch (SocketException e)
            {
                await server._app!.DisposeAsync();
                throw CannotListen(options.Host, port, e);
            }
        }
    }

    /// <summary>Shows a run as it is now. Returns at once; may be called from any thread.</summary>
    public void Show(RunView view)
    {
        Volatile.Write(ref _latest, view);
        _views.Writer.TryWrite(view);
    }

    /// <summary>Lets the open pages have the last state, then stops listening.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _views.Writer.TryComplete();
        await _drawn;
        DrawLatest();
        _board.Close();
        for (var waited = TimeSpan.Zero; _pages.Count > 0 && waited < Goodbye; waited += TimeSpan.FromMilliseconds(20))
            await Task.Delay(20);
        await _ended.CancelAsync();
        await _app!.DisposeAsync();
        _ended.Dispose();
    }

    private async Task ListenAsync(IPAddress address, int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.MaxRequestLineSize = 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024; // other pages' cookies for this host come along
            kestrel.Limits.MaxRequestHeaderCount = 64;
            kestrel.Limits.MaxConcurrentConnections = 4 * MostPages;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(60);
            kestrel.Listen(address, port, listen => listen.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http1);
        });
        // The command has its own Ctrl-C; a host of the web's would take it away.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Goodbye);
        var app = _app = builder.Build();
        ReadNeedsToken = !IPAddress.IsLoopback(address);
        var routes = new Routes(_board, _pages, _options, ReadNeedsToken, DrawLatest, _ended.Token);
        IReadOnlySet<string> hosts = new HashSet<string>();
        app.Use(next => context => new Guard(hosts, Routes.Targets).InvokeAsync(context, next));
        app.Run(routes.InvokeAsync);
        await app.StartAsync();
        var bound = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        hosts = HostsOf(_options.Host, address, bound);
        Address = new UriBuilder("http", IPAddress.Any.Equals(address) || IPAddress.IPv6Any.Equals(address) ? Dns.GetHostName() : _options.Host, bound).Uri;
        _drawn = DrawAsync();
    }

    /// <summary>Draws what is shown while somebody looks, with a pause between, so that a burst of news is drawn once.</summary>
    private async Task DrawAsync()
    {
        await foreach (var _ in _views.Reader.ReadAllAsync())
        {
            if (_pages.Count == 0)
                continue;
            DrawLatest();
            await Task.WhenAny(Task.Delay(DrawEvery), _views.Reader.Completion);
        }
    }

    private void DrawLatest()
    {
        lock (_drawing)
        {
            if (Volatile.Read(ref _latest) is not { } view || ReferenceEquals(view, _onBoard))
                return;
            _board.Post(RunParts.Of(view, _onBoard, _options.Control is not null));
            _onBoard = view;
        }
    }

    private static IPAddress AddressOf(string host)
    {
        try
        {
            if (IPAddress.TryParse(host.Trim('[', ']'), out var literal))
                return literal;
            return Dns.GetHostAddresses(host).OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).First();
        }
        catch (Exception e) when (e is SocketException or ArgumentException or InvalidOperationException)
        {
            throw new SettingsException($"the page's host {host} is no address of this machine: leave it out for this machine alone, or name one of its addresses");
        }
    }

    private static SettingsException CannotListen(string host, int port, SocketException e) => new(e.SocketErrorCode == SocketError.AddressAlreadyInUse
        ? string.Create(CultureInfo.InvariantCulture, $"port {port} is in use on {host}: stop what holds it or choose another with --dashboard PORT (0 takes a free one)")
        : $"the page cannot be served on {host}:{port}: {e.Message}");

    /// <summary>The names under which the page may be asked for.</summary>
    private static HashSet<string> HostsOf(string host, IPAddress address, int port)
    {
        var names = new List<string> { host };
        if (IPAddress.IsLoopback(address))
            names.AddRange(["127.0.0.1", "localhost", "[::1]"]);
        if (IPAddress.Any.Equals(address) || IPAddress.IPv6Any.Equals(address))
        {
            names.AddRange([Dns.GetHostName(), "127.0.0.1", "localhost", "[::1]"]);
            names.AddRange(NetworkInterface.GetAllNetworkInterfaces().SelectMany(n => n.GetIPProperties().UnicastAddresses)
                .Select(a => a.Address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{a.Address.ToString().Split('%')[0]}]" : a.Address.ToString()));
        }

        return
        [
            .. names.Select(n => n.Contains(':', StringComparison.Ordinal) && n[0] != '[' ? $"[{n}]" : n)
                .SelectMany(n => port == 80 ? [n, $"{n}:80"] : (string[])[string.Create(CultureInfo.InvariantCulture, $"{n}:{port}")]),
        ];
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
