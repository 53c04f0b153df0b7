using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Fuzz;

/// <summary>A few thousand inputs each; `Benchmarks -- fuzz` makes a million.</summary>
public sealed class FuzzTests() : TestKit(ClientFuzzer.Hocon + "\nakka.loglevel = OFF\nakka.stdout-loglevel = OFF")
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Given_bytes_that_nobody_wrote_When_read_Then_they_are_a_message_or_refused_and_take_bounded_memory(int seed)
    {
        var fuzzer = new MessageFuzzer(seed, (ExtendedActorSystem)Sys, Path.Combine(AppContext.BaseDirectory, "fixtures"));
        for (var i = 0; i < 20_000; i++)
            fuzzer.Step();
        Assert.InRange(fuzzer.Read, 1000, 19_000); // neither is all refused nor all taken
    }

    [Fact]
    public async Task Given_clients_that_say_anything_When_their_block_counts_Then_it_neither_fails_nor_counts_more_than_a_vote_of_each()
    {
        using var folder = new TemporaryFolder();
        var (messages, leases) = await ClientFuzzer.RunAsync(Sys, folder.Path, seed: 1, messages: 20_000);
        Assert.True(messages >= 20_000 && leases > 10, $"{messages} messages in {leases} leases");
    }
}
