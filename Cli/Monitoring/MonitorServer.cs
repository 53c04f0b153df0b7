using System.Net;
using Chorus.Actors.Membership;
using Chorus.Actors.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Chorus.Cli.Monitoring;

/// <summary>
/// /health, /ready and /metrics over HTTP. All of it may be read by whoever reaches the port: numbers that are on the report
/// too, and nothing can be changed.
/// </summary>
internal sealed class MonitorServer : IAsyncDisposable
{
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(1);

    private readonly WebApplication _app;
    private Func<Task<NodeHealth>> _health = () => Task.FromResult(NodeHealth.BetweenNodes);

    private MonitorServer(WebApplication app) => _app = app;

    /// <summary>Where it is, with a slash at the end.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <param name="port">0 takes a free one.</param>
    public static async Task<MonitorServer> StartAsync(string host, int port, Telemetry telemetry)
    {
        if (port is < 0 or > 65535)
            throw new SettingsException($"the monitor's port must be in [0, 65535], got {port}; 0 takes a free one");
        if (!IPAddress.TryParse(host, out var address))
            address = (await Dns.GetHostAddressesAsync(host))[0];
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.MaxRequestLineSize = 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
            kestrel.Limits.MaxConcurrentConnections = 64;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);
            kestrel.Listen(address, port);
        });
        // The command has its own Ctrl-C; a host of the web's would take it away.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = Goodbye);
        var app = builder.Build();
        var server = new MonitorServer(app);
        app.UseOpenTelemetryPrometheusScrapingEndpoint(telemetry.Metrics, Reads("/metrics"), null, null, null);
        app.MapWhen(Reads("/health"), health => health.Run(context => server.AnswerAsync(context, h => h.Live)));
        app.MapWhen(Reads("/ready"), ready => ready.Run(context => server.AnswerAsync(context, h => h.Ready)));
        app.Run(context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return context.Response.WriteAsync("there are /health, /ready and /metrics\n");
        });
        try
        {
            await app.StartAsync();
            return server;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Answers by this from now on.</summary>
    public void Serve(Func<Task<NodeHealth>> health) => _health = health;

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static Func<HttpContext, bool> Reads(string path) => context => context.Request.Path == path && (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method));

    private async Task AnswerAsync(HttpContext context, Func<NodeHealth, bool> well)
    {
        var health = await _health();
        context.Response.StatusCode = well(health) ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        await context.Response.WriteAsync($"{health.Reason}\n");
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
