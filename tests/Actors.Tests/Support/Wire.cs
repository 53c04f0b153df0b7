using System.Collections.Concurrent;
using System.Text;
using Akka.Actor;
using Akka.Remote.Transport;
using Google.Protobuf;

namespace Chorus.Actors.Tests.Support;

/// <summary>
/// What a test does to the network between nodes: it reads every frame that is sent; has a node go dark at a frame that the
/// test names, as if its machine had lost its power just then; loses, doubles and holds back what the test wants.
/// </summary>
internal sealed class Wire : IDisposable
{
    private static readonly ConcurrentDictionary<string, Wire> Wires = new();

    /// <summary>What manifests of messages between client nodes and the coordinator begin with.</summary>
    private static readonly string[] Ours = ["collector/", "block/", "candidates/"];

    private readonly string _id = Guid.NewGuid().ToString("n");
    private readonly Func<string, bool>? _darkAt;
    private int _frames;
    private int _cuts;

    /// <param name="darkAt">Sees the frames of all nodes as text; the first one that it names is lost, with all that its node sends after.</param>
    public Wire(Func<string, bool>? darkAt = null)
    {
        _darkAt = darkAt;
        Wires[_id] = this;
    }

    /// <summary>What becomes of a frame of Chorus' own; Akka's pass.</summary>
    public Func<string, Fate> Fates { get; init; } = _ => Fate.Passes;

    /// <summary>Every frame that was sent, in the order of sending.</summary>
    public ConcurrentQueue<byte[]> Sent { get; } = [];

    public bool WentDark => Volatile.Read(ref _cuts) > 0;

    /// <summary>Settings that put this wire between a node and the others.</summary>
    public string Hocon => $$"""
        akka.remote.dot-netty.tcp.applied-adapters = ["wire"]
        akka.remote.adapters.wire = "{{typeof(WireProvider).FullName}},{{typeof(WireProvider).Assembly.GetName().Name}}"
        chorus-test.wire = "{{_id}}"
        """;

    public void Dispose() => Wires.TryRemove(_id, out _);

    /// <summary>Reads a frame of a node, and says whether it is sent.</summary>
    private bool Passes(Tap node, ByteString frame)
    {
        if (node.Dark)
            return false;
        var bytes = frame.ToByteArray();
        if (_darkAt is not null && Interlocked.Increment(ref _frames) > 0 && _darkAt(Encoding.Latin1.GetString(bytes))
            && Interlocked.Exchange(ref _cuts, 1) == 0)
        {
            node.GoDark();
            return false;
        }

        Sent.Enqueue(bytes);
        return true;
    }

    public static Transport Around(Transport transport, ActorSystem system) =>
        new Tap(transport, system, Wires[system.Settings.Config.GetString("chorus-test.wire")]);

    /// <summary>One node's end of the wire. Addresses stay as they are.</summary>
    private sealed class Tap : Transport
    {
        private readonly Transport _inner;
        private readonly Wire _wire;

        public Tap(Transport inner, ActorSystem system, Wire wire)
        {
            (_inner, _wire) = (inner, wire);
            (System, Config, SchemeIdentifier, MaximumPayloadBytes) = (system, inner.Config, inner.SchemeIdentifier, inner.MaximumPayloadBytes);
        }

        public bool Dark { get; private set; }

        public void GoDark()
        {
            Dark = true;
            _ = Task.Run(System.Terminate);
        }

        public bool Passes(ByteString frame) => _wire.Passes(this, frame);

        public Fate FateOf(ByteString frame)
        {
            var text = Encoding.Latin1.GetString(frame.ToByteArray());
            return Ours.Any(manifest => text.Contains(manifest, StringComparison.Ordinal)) ? _wire.Fates(text) : Fate.Passes;
        }

        public override async Task<(Address, TaskCompletionSource<IAssociationEventListener>)> Listen()
        {
            var (address, listener) = await _inner.Listen();
            var upstream = new TaskCompletionSource<IAssociationEventListener>();
            _ = upstream.Task.ContinueWith(t => listener.SetResult(new Inbound(this, t.Result)), TaskScheduler.Default);
            return (address, upstream);
        }

        public override bool IsResponsibleFor(Address remote) => _inner.IsResponsibleFor(remote);

        public override async Task<AssociationHandle> Associate(Address remoteAddress) => new Link(this, await _inner.Associate(remoteAddress));

        public override Task<bool> Shutdown() => _inner.Shutdown();

        public override Task<bool> ManagementCommand(object message) => _inner.ManagementCommand(message);
    }

    private sealed class Inbound(Tap tap, IAssociationEventListener upstream) : IAssociationEventListener
    {
        public void Notify(IAssociationEvent ev) =>
            upstream.Notify(ev is InboundAssociation inbound ? new InboundAssociation(new Link(tap, inbound.Association)) : ev);
    }

    private sealed class Link : AssociationHandle
    {
        private readonly Tap _tap;
        private readonly AssociationHandle _inner;
        private readonly Queue<ByteString> _held = [];

        public Link(Tap tap, AssociationHandle inner)
            : base(inner.LocalAddress, inner.RemoteAddress)
        {
            (_tap, _inner) = (tap, inner);
            ReadHandlerSource = inner.ReadHandlerSource;
        }

        /// <summary>What is held back goes out behind the next frame that is not.</summary>
        public override bool Write(ByteString payload)
        {
            if (!_tap.Passes(payload))
                return true;
            lock (_held)
            {
                switch (_tap.FateOf(payload))
                {
                    case Fate.Lost:
                        return true;
                    case Fate.HeldBack:
                        _held.Enqueue(payload);
                        return true;
                    case Fate.Doubled when !_inner.Write(payload):
                        return false;
                }

                if (!_inner.Write(payload))
                    return false;
                while (_held.TryDequeue(out var late))
                    _inner.Write(late);
                return true;
            }
        }

        [Obsolete("Akka's base member is.")]
        public override void Disassociate() => _inner.Disassociate();
    }
}

/// <summary>What becomes of a frame.</summary>
internal enum Fate
{
    Passes,
    Lost,
    Doubled,
    HeldBack,
}

/// <summary>Made by Akka from its name in the settings.</summary>
public sealed class WireProvider : ITransportAdapterProvider
{
    public Transport Create(Transport wrappedTransport, ExtendedActorSystem system) => Wire.Around(wrappedTransport, system);
}
