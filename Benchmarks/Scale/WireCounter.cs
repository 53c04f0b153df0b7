using Akka.Actor;
using Akka.Remote.Transport;
using Google.Protobuf;

namespace Chorus.Benchmarks.Scale;

/// <summary>Counts the bytes that this process' node sends to others and gets from them, below Akka's remoting and above TCP.</summary>
internal static class WireCounter
{
    private static long _sent;
    private static long _received;

    /// <summary>Settings that put the counter under a node.</summary>
    public static string Hocon => $$"""
        akka.remote.dot-netty.tcp.applied-adapters = ["counter"]
        akka.remote.adapters.counter = "{{typeof(WireCounterProvider).FullName}},{{typeof(WireCounterProvider).Assembly.GetName().Name}}"
        """;

    /// <summary>Bytes since the process began.</summary>
    public static (long Sent, long Received) Bytes => (Interlocked.Read(ref _sent), Interlocked.Read(ref _received));

    public sealed class Counting : Transport
    {
        private readonly Transport _inner;

        public Counting(Transport inner, ActorSystem system)
        {
            _inner = inner;
            (System, Config, SchemeIdentifier, MaximumPayloadBytes) = (system, inner.Config, inner.SchemeIdentifier, inner.MaximumPayloadBytes);
        }

        public override async Task<(Address, TaskCompletionSource<IAssociationEventListener>)> Listen()
        {
            var (address, listener) = await _inner.Listen();
            var upstream = new TaskCompletionSource<IAssociationEventListener>();
            _ = ForwardAsync();
            return (address, upstream);

            async Task ForwardAsync() => listener.SetResult(new Inbound(await upstream.Task.ConfigureAwait(false)));
        }

        public override bool IsResponsibleFor(Address remote) => _inner.IsResponsibleFor(remote);

        public override async Task<AssociationHandle> Associate(Address remoteAddress) => new Link(await _inner.Associate(remoteAddress));

        public override Task<bool> Shutdown() => _inner.Shutdown();

        public override Task<bool> ManagementCommand(object message) => _inner.ManagementCommand(message);
    }

    private sealed class Inbound(IAssociationEventListener upstream) : IAssociationEventListener
    {
        public void Notify(IAssociationEvent ev) =>
            upstream.Notify(ev is InboundAssociation inbound ? new InboundAssociation(new Link(inbound.Association)) : ev);
    }

    private sealed class Link : AssociationHandle
    {
        private readonly AssociationHandle _inner;

        public Link(AssociationHandle inner)
            : base(inner.LocalAddress, inner.RemoteAddress)
        {
            _inner = inner;
            ReadHandlerSource = new TaskCompletionSource<IHandleEventListener>();
            _ = ForwardAsync();

            async Task ForwardAsync() => inner.ReadHandlerSource.SetResult(new Reading(await ReadHandlerSource.Task.ConfigureAwait(false)));
        }

        public override bool Write(ByteString payload)
        {
            Interlocked.Add(ref _sent, payload.Length);
            return _inner.Write(payload);
        }

        [Obsolete("Akka's base member is.")]
        public override void Disassociate() => _inner.Disassociate();
    }

    private sealed class Reading(IHandleEventListener upstream) : IHandleEventListener
    {
        public void Notify(IHandleEvent ev)
        {
            if (ev is InboundPayload payload)
                Interlocked.Add(ref _received, payload.Payload.Length);
            upstream.Notify(ev);
        }
    }
}

/// <summary>Made by Akka from its name in the settings.</summary>
public sealed class WireCounterProvider : ITransportAdapterProvider
{
    public Transport Create(Transport wrappedTransport, ExtendedActorSystem system) => new WireCounter.Counting(wrappedTransport, system);
}
