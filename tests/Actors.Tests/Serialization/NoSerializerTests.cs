using Akka.Actor;
using Akka.Configuration;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Serialization;
using Chorus.Actors.Settings;

namespace Chorus.Actors.Tests.Serialization;

/// <summary>What somebody with an ordinary Akka system and the port's address can make happen on a node: nothing.</summary>
public sealed class NoSerializerTests() : TestKit(ConfigurationFactory.ParseString(
    """
    akka.loglevel = OFF
    akka.actor.provider = remote
    akka.extensions = []
    akka.remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0 }
    """).WithFallback(HoconFiles.Embedded("cluster.conf")))
{
    private static int _made;

    [Fact]
    public async Task Given_a_stranger_with_plain_Akka_When_it_sends_objects_and_deploys_actors_Then_none_is_made_here()
    {
        using var stranger = ActorSystem.Create("stranger", ConfigurationFactory.ParseString(
            """
            akka.loglevel = OFF
            akka.stdout-loglevel = OFF
            akka.actor.provider = remote
            akka.remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0 }
            """));
        var here = ((ExtendedActorSystem)Sys).Provider.DefaultAddress;
        var there = stranger.ActorSelection($"{here}{TestActor.Path.ToStringWithoutAddress()}");
        _made = 0;
        there.Tell(new Planted { Value = 1 });
        stranger.ActorOf(Props.Create<PlantedActor>().WithDeploy(Deploy.None.WithScope(new RemoteScope(here))), "planted");
        there.Tell("the last message");

        Assert.Equal("the last message", await ExpectMsgAsync<string>(TimeSpan.FromSeconds(30))); // and nothing before it
        Assert.Equal(1, _made); // the stranger's own
        await stranger.Terminate();
    }

    [Fact]
    public void Given_all_serializers_of_a_node_When_listed_Then_none_goes_by_the_names_of_types()
    {
        var names = Sys.Settings.Config.GetConfig("akka.actor.serializers").AsEnumerable().Select(s => s.Value.GetString()).ToArray();
        Assert.Contains(names, name => name.StartsWith(typeof(ChorusSerializer).FullName!, StringComparison.Ordinal));
        Assert.DoesNotContain(names, name => new[] { "Json", "DaemonMsgCreate", ".ProtobufSerializer", "Hyperion" }.Any(kind => name.Contains(kind, StringComparison.Ordinal)));
    }

    [Fact]
    public void Given_a_type_that_no_serializer_is_bound_to_When_it_is_to_be_sent_Then_it_is_refused()
    {
        var serializer = Assert.IsType<NoSerializer>(Sys.Serialization.FindSerializerForType(typeof(Planted)));
        Assert.Throws<NotSupportedException>(() => serializer.ToBinary(new Planted()));
        Assert.Throws<NotSupportedException>(() => serializer.FromBinary([], typeof(Planted)));
    }

    public sealed class Planted
    {
        public Planted() => Interlocked.Increment(ref _made);

        public int Value { get; set; }
    }

    public sealed class PlantedActor : UntypedActor
    {
        public PlantedActor() => Interlocked.Increment(ref _made);

        protected override void OnReceive(object message)
        {
        }
    }
}
