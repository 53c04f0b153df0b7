using System.CommandLine;
using Akka.Actor;
using Chorus.Actors.Hosting;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Watch;
using Chorus.Cli.Progress;
using Chorus.Dashboard;

namespace Chorus.Cli;

/// <summary>The page of the run that this process drives, where one is asked for (<c>--dashboard</c>).</summary>
internal sealed class RunPage : IAsyncDisposable
{
    /// <summary>How long an end waits for the page to hear of it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource<RunView> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RunFolder _folder;
    private DashboardServer? _server;

    private RunPage(RunFolder folder) => _folder = folder;

    public static Option<int?> Port { get; } = new("--dashboard")
    {
        Description = $"Serve a page that shows the run while it goes on, on this port (default: {DashboardOptions.UsualPort}, or the next that is free; 0 takes any).",
        HelpName = "PORT",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Option<string> Host { get; } = new("--dashboard-host")
    {
        Description = "The address that the page is served on. Any but this machine's own needs the page's token.",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    public static bool IsAsked(ParseResult parsed) => parsed.GetResult(Port) is { Implicit: false };

    /// <summary>What can be known before the run's folder is made.</summary>
    public static void Check(ParseResult parsed)
    {
        if (IsAsked(parsed))
            DashboardServer.Check(parsed.GetValue(Host)!, parsed.GetValue(Port));
        else if (parsed.GetResult(Host) is { Implicit: false })
            throw new SettingsException("--dashboard-host goes with --dashboard");
    }

    /// <returns>Null where no page is asked for.</returns>
    public static async Task<RunPage?> StartAsync(ParseResult parsed, ChorusNode node, RunContext context, RunProgressView progress)
    {
        if (!IsAsked(parsed))
            return null;
        var page = new RunPage(context.Folder);
        var watch = node.System.ActorOf(RunWatchActor.Props(RunFacts.Of(context), page.Show, TimeProvider.System), "watch");
        page._server = await DashboardServer.StartAsync(new DashboardOptions
        {
            Host = parsed.GetValue(Host)!,
            Port = parsed.GetValue(Port),
            Token = AccessToken.OfFile(context.Folder.PageToken),
            Control = new RunControl(node.Coordinator, context.Run),
            Watched = pages => watch.Tell(new RunWatchProtocol.Watched(pages)),
        });
        page.Say(progress);
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAny(_ended.Task, Task.Delay(Patience));
        await _server!.DisposeAsync();
        // Who resumes the run keeps the pages that are open; once it is done there is nothing to control.
        if (_ended.Task is { IsCompletedSuccessfully: true, Result.Status: RunStatus.Done })
            File.Delete(_folder.PageToken);
    }

    private void Show(RunView view)
    {
        Volatile.Read(ref _server)?.Show(view);
        if (view.Ended is not null)
            _ended.TrySetResult(view);
    }

    /// <summary>On a terminal the token comes along; a log is read by others, and gets the name of its file.</summary>
    private void Say(RunProgressView progress) => progress.Say(Console.IsOutputRedirected
        ? $"page: {_server!.Address} (pause and stop, and looks from other machines, need the token in {_folder.PageToken})"
        : $"page: {_server!.AddressWithToken}");
}
