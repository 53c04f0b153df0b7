using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Chorus.Actors.Hosting;
using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Settings;
using static Chorus.Actors.Membership.GateMessages;

namespace Chorus.Actors.Membership;

/// <summary>Asks a cluster how it is, from outside: through one node's gate, without becoming a member.</summary>
public static class ClusterProbe
{
    /// <param name="node">host:port of any node.</param>
    /// <param name="host">The address of this machine that the node reaches it by.</param>
    /// <param name="tls">This machine's certificate, where the cluster has TLS.</param>
    /// <param name="patience">How long to wait for the answer.</param>
    /// <exception cref="SettingsException">The node is no host:port, or it or its certificate is refused.</exception>
    /// <exception cref="IOException">The node does not answer.</exception>
    public static async Task<ClusterStatus> AskAsync(string node, string host, NodeCertificate? tls, TimeSpan patience, CancellationToken ct = default)
    {
        var address = ChorusNode.AddressOf(node, tls is not null);
        var refused = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var config = ConfigurationFactory.ParseString(
            $$"""
            akka.loglevel = OFF
            akka.actor.provider = remote
            akka.extensions = []
            akka.remote.dot-netty.tcp { hostname = "{{host}}", port = 0, enable-ssl = {{(tls is null ? "off" : "on")}} }
            """).WithFallback(HoconFiles.Embedded("cluster.conf"));
        ActorSystemSetup setup = tls is null
            ? ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config))
            : ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config), tls.Setup(why => refused.TrySetResult(why)));
        using var system = ActorSystem.Create(ChorusNode.SystemName, setup);
        try
        {
            var asked = system.ActorSelection(new RootActorPath(address) / "user" / GateActor.Name).Ask<string>(Write(new Question(Status: true)), patience, ct);
            if (await Task.WhenAny(asked, refused.Task) == refused.Task)
                throw new SettingsException(await refused.Task);
            return Read<Answer>(await asked) switch
            {
                { Status: { } status } => status,
                { Refused: { } why } => throw new IOException(why),
                _ => throw new IOException($"{node} answered with something that this version of Chorus does not understand"),
            };
        }
        catch (AskTimeoutException)
        {
            throw new IOException($"no answer from {node} within {patience.TotalSeconds:0} s: is a Chorus node running there, and its cluster {(tls is null ? "without" : "with")} --tls too?");
        }
        finally
        {
            await system.Terminate();
        }
    }
}
