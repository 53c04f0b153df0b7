using System.CommandLine;
using System.Net;
using Chorus.Actors.Hosting;
using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Settings;

namespace Chorus.Cli;

/// <summary>What every process of a cluster can be told, whatever it does there: the options that <c>simulate</c> and <c>node</c> share.</summary>
internal static class MemberOptions
{
    private static readonly Option<string> Host = new("--host") { Description = "The address that other nodes reach this one by.", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<int> Port = new("--port") { Description = "The port to listen on; 0 takes a free one.", DefaultValueFactory = _ => 0 };
    private static readonly Option<string[]> SeedNode = new("--seed-node") { Description = "host:port of a node to join; repeatable.", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Akka = new("--akka") { Description = "A HOCON file akka { ... } over Hocon/cluster.conf, for networks that need other timings; the same on every node.", HelpName = "FILE" };
    private static readonly Option<string?> Tls = new("--tls") { Description = "The folder of this node's certificate, from 'chorus cluster init': connections are encrypted, and only nodes of the same authority are members.", HelpName = "DIR" };

    public static void AddTo(Command command)
    {
        foreach (var option in new Option[] { Host, Port, SeedNode, Tls, Akka })
            command.Options.Add(option);
    }

    /// <summary>The node that the options, and where they are silent a file, describe. Whoever starts it disposes its certificate.</summary>
    /// <param name="roles">What it does.</param>
    public static NodeOptions Read(ParseResult parsed, IReadOnlyList<string> roles, NodeFile? file = null)
    {
        var options = From(parsed, roles, file);
        if (options.Tls is null && !(IPAddress.TryParse(options.Host, out var address) ? IPAddress.IsLoopback(address) : options.Host == "localhost"))
            parsed.InvocationConfiguration.Error.WriteLine($"chorus: note: without --tls whoever reaches {options.Host} over the network can take part in this cluster; 'chorus cluster init' makes certificates");
        return options;
    }

    private static NodeOptions From(ParseResult parsed, IReadOnlyList<string> roles, NodeFile? file) => new()
    {
        Roles = roles,
        Host = Given(parsed, Host) ? parsed.GetValue(Host)! : file?.Host ?? parsed.GetValue(Host)!,
        Port = Given(parsed, Port) ? parsed.GetValue(Port) : file?.Port ?? parsed.GetValue(Port),
        SeedNodes = parsed.GetValue(SeedNode) is { Length: > 0 } seeds ? seeds : file?.SeedNodes ?? [],
        Overrides = (parsed.GetValue(Akka) ?? file?.Akka) is { } akka ? AkkaSettings(akka) : "",
        Tls = (parsed.GetValue(Tls) ?? file?.Tls) is { } tls ? NodeCertificate.Load(tls, TimeProvider.System) : null,
        LogLevel = LogLevels.OfUser(),
        Policy = Models.Policy,
        Downstream = Models.Downstream,
        ClientTrainers = Models.ClientTrainers,
    };

    /// <summary>Whether an option stands on the command line.</summary>
    public static bool Given(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static string AkkaSettings(string file)
    {
        var config = HoconFiles.Read(file);
        if (config.Root?.IsObject() != true || config.Root.GetObject().Items is not { Count: > 0 } roots)
            throw new SettingsException($"{file}: expected akka {{ ... }}");
        return roots.Keys.FirstOrDefault(key => key != "akka") is { } other
            ? throw new SettingsException($"{file}: unknown key {other}; a file of Akka settings has one root, akka {{ ... }}")
            : config.Root.ToString();
    }
}
