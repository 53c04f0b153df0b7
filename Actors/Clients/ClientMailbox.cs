using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;

namespace Chorus.Actors.Clients;

/// <summary>
/// The mailbox of client actors: empty, it takes 40 bytes. A client is asked one question at a time, so room for one message is what
/// it needs; more find room when they come. Akka's own mailbox has room for 32 from the start, a kilobyte: half of what a client would take.
/// </summary>
public sealed class ClientMailbox(Akka.Actor.Settings settings, Config config) : MailboxType(settings, config), IProducesMessageQueue<ClientMailbox.Queue>
{
    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new Queue();

    /// <summary>First in, first out; any number of threads put in, one takes out.</summary>
    public sealed class Queue : IMessageQueue, IUnboundedMessageQueueSemantics
    {
        // The queue is its own lock: an object more for each of a million would be a sixth of their mailboxes.
        private Envelope _first;
        private bool _holds;
        private Queue<Envelope>? _rest;

        public bool HasMessages => Volatile.Read(ref _holds);

        public int Count
        {
            get
            {
                lock (this)
                    return (_holds ? 1 : 0) + (_rest?.Count ?? 0);
            }
        }

        public void Enqueue(IActorRef receiver, Envelope envelope)
        {
            lock (this)
            {
                if (_holds)
                {
                    (_rest ??= new Queue<Envelope>()).Enqueue(envelope);
                }
                else
                {
                    _first = envelope;
                    Volatile.Write(ref _holds, true);
                }
            }
        }

        public bool TryDequeue(out Envelope envelope)
        {
            lock (this)
            {
                envelope = _first;
                if (!_holds)
                    return false;
                if (_rest is null || !_rest.TryDequeue(out _first))
                {
                    (_first, _rest) = (default, null);
                    Volatile.Write(ref _holds, false);
                }

                return true;
            }
        }

        public void CleanUp(IActorRef owner, IMessageQueue deadletters)
        {
            while (TryDequeue(out var envelope))
                deadletters.Enqueue(owner, envelope);
        }
    }
}
