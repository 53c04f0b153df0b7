using System.CommandLine;
using Chorus.Actors.Runs;
using Chorus.Actors.Watch;
using Chorus.Dashboard;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus dashboard</c>: the page of a run that is over, or stands still, from its folder.</summary>
internal static class DashboardCommand
{
    private static readonly Argument<string> Folder = new("DIR") { Description = "A run's folder." };
    private static readonly Option<int?> Port = new("--port") { Description = $"The page's port (default: {DashboardOptions.UsualPort}, or the next that is free; 0 takes any).", HelpName = "PORT" };
    private static readonly Option<string> Host = new("--host") { Description = "The address that the page is served on. Any but this machine's own needs the page's token.", DefaultValueFactory = _ => "127.0.0.1" };

    public static Command Create()
    {
        var command = new Command("dashboard", "Serves the page of a run from its folder, until Ctrl-C.") { Folder, Port, Host };
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        await Task.Yield(); // Ctrl-C is heard from the first wait on
        var folder = new RunFolder(parsed.GetValue(Folder)!);
        var view = FinishedRun.Read(folder, TimeProvider.System);
        var (host, port) = (parsed.GetValue(Host)!, parsed.GetValue(Port));
        DashboardServer.Check(host, port);
        DashboardServer? server = null;
        server = await DashboardServer.StartAsync(new DashboardOptions
        {
            Host = host,
            Port = port,
            Token = AccessToken.Fresh(),
            Watched = pages =>
            {
                if (pages > 0)
                    _ = Task.Run(() => server?.Show(FinishedRun.Read(folder, TimeProvider.System)), CancellationToken.None); // it may have gone on elsewhere
            },
        });
        await using (server)
        {
            server.Show(view);
            parsed.InvocationConfiguration.Output.WriteLine($"page: {(server.ReadNeedsToken ? server.AddressWithToken : server.Address)} (Ctrl-C ends)");
            await Task.WhenAny(Task.Delay(Timeout.Infinite, ct));
        }

        return ExitCode.Done;
    }
}
