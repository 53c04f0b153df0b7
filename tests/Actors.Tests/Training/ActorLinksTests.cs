using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Training;
using Chorus.Gpu.Collectives;
using static Chorus.Actors.Training.TrainingProtocol;

namespace Chorus.Actors.Tests.Training;

/// <summary>Pieces of tensors between trainers: in order, never more than a window of them.</summary>
public sealed class ActorLinksTests : TestKit
{
    [Fact]
    public async Task Given_a_full_window_When_more_is_sent_Then_it_waits_until_the_other_has_room()
    {
        var other = CreateTestProbe();
        using var links = new ActorLinks("run", 1, 0, [ActorRefs.Nobody, other.Ref], TimeSpan.FromSeconds(30));
        var sending = Task.Run(() =>
        {
            for (byte i = 0; i <= ActorLinks.Window; i++)
                links.Send(1, [i]);
        });
        for (int i = 0; i < ActorLinks.Window; i++)
            Assert.Equal(i, (await other.ExpectMsgAsync<GroupBytes>()).Number);
        await other.ExpectNoMsgAsync(TimeSpan.FromMilliseconds(200));
        Assert.False(sending.IsCompleted);
        links.Taken(1);
        Assert.Equal(new byte[] { ActorLinks.Window }, (await other.ExpectMsgAsync<GroupBytes>()).Bytes);
        await sending;
    }

    [Fact]
    public async Task Given_a_sender_that_waits_for_room_When_the_links_are_closed_Then_it_ends()
    {
        using var links = new ActorLinks("run", 1, 0, [ActorRefs.Nobody, CreateTestProbe().Ref], TimeSpan.FromSeconds(30));
        var sending = Task.Run(() =>
        {
            for (byte i = 0; i < 100; i++)
                links.Send(1, [i]);
        });
        links.Close("node b is gone");
        Assert.Equal("node b is gone", (await Assert.ThrowsAsync<CollectiveBrokenException>(() => sending)).Message);
    }

    [Fact]
    public async Task Given_pieces_of_a_peer_When_taken_Then_each_is_acknowledged_once_and_a_lost_one_closes_the_links()
    {
        var peer = CreateTestProbe();
        using var links = new ActorLinks("run", 1, 0, [ActorRefs.Nobody, peer.Ref], TimeSpan.FromSeconds(30));
        links.Put(Piece(0));
        links.Put(Piece(0)); // doubled
        links.Put(Piece(1));
        Assert.Equal(new BytesTaken("run", 1, 1, 0), await peer.ExpectMsgAsync<BytesTaken>());
        await peer.ExpectMsgAsync<BytesTaken>();
        await peer.ExpectNoMsgAsync(TimeSpan.FromMilliseconds(100));
        foreach (byte wanted in new byte[] { 0, 1 })
        {
            using var message = links.Receive(1);
            Assert.Equal([wanted], message.Bytes.ToArray());
        }
        links.Put(Piece(3));
        Assert.Contains("a message of rank 1 was lost", Assert.Throws<CollectiveBrokenException>(() => links.Receive(1)).Message, StringComparison.Ordinal);

        static GroupBytes Piece(byte number) => new("run", 1, 1, 0, number, [number]);
    }
}
