using System.Reflection;
using System.Text;
using Chorus.Dashboard.Parts;
using Microsoft.AspNetCore.Http;

namespace Chorus.Dashboard;

/// <summary>What the page's server answers. Every request has passed the <see cref="Guard"/>.</summary>
/// <param name="board">The page's parts.</param>
/// <param name="pages">Counts who looks.</param>
/// <param name="options">Token and control.</param>
/// <param name="readNeedsToken">Whether only who bears the token sees anything of the run.</param>
/// <param name="draw">Brings the board up to date.</param>
/// <param name="ended">The server ends.</param>
internal sealed class Routes(PartBoard board, OpenPages pages, DashboardOptions options, bool readNeedsToken, Action draw, CancellationToken ended)
{
    /// <summary>A connection that is silent for longer is taken for a broken one, here and by the page's script.</summary>
    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(10);

    private static readonly byte[] Style = Encoding.UTF8.GetBytes(PageShell.StyleSheet + "\n" + Encoding.UTF8.GetString(Asset("page.css")));
    private static readonly byte[] Script = Asset("page.js");
    private static readonly byte[] Icon = Asset("icon.svg");

    /// <summary>All that may be asked, with the method.</summary>
    public static IReadOnlyDictionary<string, string> Targets { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["/"] = HttpMethods.Get,
        ["/page.css"] = HttpMethods.Get,
        ["/page.js"] = HttpMethods.Get,
        ["/icon.svg"] = HttpMethods.Get,
        ["/events"] = HttpMethods.Get,
        ["/control/pause"] = HttpMethods.Post,
        ["/control/go-on"] = HttpMethods.Post,
        ["/control/stop"] = HttpMethods.Post,
    };

    public Task InvokeAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/" => PageAsync(context),
        "/page.css" => SendAsync(context, "text/css; charset=utf-8", Style),
        "/page.js" => SendAsync(context, "text/javascript; charset=utf-8", Script),
        "/icon.svg" => SendAsync(context, "image/svg+xml", Icon),
        "/events" => EventsAsync(context),
        _ => ControlAsync(context),
    };

    private static byte[] Asset(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name) ?? throw new InvalidOperationException($"the resource {name} is not in this assembly");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static Task SendAsync(HttpContext context, string type, byte[] bytes)
    {
        context.Response.ContentType = type;
        context.Response.ContentLength = bytes.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }

    /// <summary>The page with all that is known now; without it where whoever asks may not read it, for a link brings no token.</summary>
    private Task PageAsync(HttpContext context)
    {
        if (!readNeedsToken)
        {
            pages.Visit();
            draw();
        }

        var (parts, version, _, _) = readNeedsToken ? ([], 0, false, Task.CompletedTask) : board.Since(0);
        var markup = parts.ToDictionary(p => p.Id, p => p.Markup);
        return SendAsync(context, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(PageShell.Render(
            id => markup.GetValueOrDefault(id, ""), options.Control is not null, board.SeenOf(version))));
    }

    private bool Bears(HttpContext context) => options.Token.IsBorneBy(context.Request.Headers.Authorization);

    private Task EventsAsync(HttpContext context)
    {
        if (readNeedsToken && !Bears(context))
            return Guard.RefuseAsync(context, StatusCodes.Status401Unauthorized, "this page is read with its token only");
        if (!pages.TryEnter())
            return Guard.RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "too many pages are open");
        return StreamAsync(context);
    }

    private async Task StreamAsync(HttpContext context)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, ended);
            draw();
            await FollowAsync(context, board.VersionOf(context.Request.Headers["Last-Event-ID"]), either.Token);
        }
        catch (OperationCanceledException)
        {
            // the page was closed, or the run is over
        }
        finally
        {
            pages.Leave();
        }
    }

    /// <summary>Sends parts as they change, all that is new in one piece. What changed twice while the page was slow is sent once.</summary>
    /// <param name="seen">The version that the page has.</param>
    private async Task FollowAsync(HttpContext context, long seen, CancellationToken ct)
    {
        context.Response.ContentType = "text/event-stream";
        while (true)
        {
            var (news, version, closed, changed) = board.NewsSince(seen);
            await context.Response.Body.WriteAsync(news, ct);
            if (closed)
                return;
            seen = version;
            await Task.WhenAny(changed, Task.Delay(BeatEvery, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private Task ControlAsync(HttpContext context)
    {
        if (!Bears(context))
            return Guard.RefuseAsync(context, StatusCodes.Status401Unauthorized, "the run is changed with the page's token only");
        if (options.Control is not { } control)
            return Guard.RefuseAsync(context, StatusCodes.Status409Conflict, "this run is not running here");
        switch (context.Request.Path.Value)
        {
            case "/control/pause":
                control.Pause();
                break;
            case "/control/go-on":
                control.GoOn();
                break;
            case "/control/stop":
                control.Stop();
                break;
            default:
                throw new InvalidOperationException($"{context.Request.Path} is in the table of targets and nowhere else");
        }

        context.Response.StatusCode = StatusCodes.Status202Accepted;
        return Task.CompletedTask;
    }
}
