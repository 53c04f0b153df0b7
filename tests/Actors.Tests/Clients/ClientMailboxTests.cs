using Akka.Actor;
using Chorus.Actors.Clients;
using CsCheck;

namespace Chorus.Actors.Tests.Clients;

public sealed class ClientMailboxTests
{
    // Against the plain queue that it is to be.
    [Fact]
    public void Given_any_puts_and_takes_When_made_Then_it_is_a_queue() =>
        Gen.Bool.Array[0, 60].Sample(steps =>
        {
            var queue = new ClientMailbox.Queue();
            var model = new Queue<int>();
            for (var i = 0; i < steps.Length; i++)
            {
                if (steps[i])
                {
                    queue.Enqueue(ActorRefs.Nobody, Message(i));
                    model.Enqueue(i);
                }
                else
                {
                    var there = model.TryDequeue(out var expected);
                    Assert.Equal(there, queue.TryDequeue(out var envelope));
                    Assert.Equal(there ? expected : null, envelope.Message);
                }

                Assert.Equal((model.Count, model.Count > 0), (queue.Count, queue.HasMessages));
            }
        });

    [Fact]
    public async Task Given_many_threads_that_put_When_one_takes_Then_every_message_comes_once_and_each_threads_in_order()
    {
        const int Threads = 4, Each = 20_000;
        var queue = new ClientMailbox.Queue();
        var putting = Enumerable.Range(0, Threads).Select(t => Task.Run(() =>
        {
            for (var i = 0; i < Each; i++)
                queue.Enqueue(ActorRefs.Nobody, Message((i * Threads) + t));
        })).ToArray();
        var next = new int[Threads];
        for (var taken = 0; taken < Threads * Each;)
        {
            if (!queue.TryDequeue(out var envelope))
                continue;
            var message = (int)envelope.Message;
            Assert.Equal(next[message % Threads]++, message / Threads);
            taken++;
        }

        await Task.WhenAll(putting);
        Assert.False(queue.TryDequeue(out _));
    }

    [Fact]
    public void Given_an_actor_that_stops_When_messages_are_left_Then_they_are_dead_letters()
    {
        ClientMailbox.Queue queue = new(), dead = new();
        for (var i = 0; i < 3; i++)
            queue.Enqueue(ActorRefs.Nobody, Message(i));
        queue.CleanUp(ActorRefs.Nobody, dead);
        Assert.Equal((0, 3), (queue.Count, dead.Count));
    }

    private static Envelope Message(int i) => new(i, ActorRefs.Nobody);
}
