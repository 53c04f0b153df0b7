using Akka.Actor;
using static Chorus.Actors.Candidates.CandidateProtocol;

namespace Chorus.Actors.Candidates;

/// <summary>Beside the coordinator: serves the chunks of the round's array to the nodes that ask.</summary>
public sealed class CandidateSourceActor : UntypedActor
{
    /// <summary>Well under the frame of remoting (4 MiB in cluster.conf), with room for the envelope.</summary>
    public const int ChunkBytes = 1 << 20;

    private string _sha256 = "";
    private byte[] _bytes = [];

    public static Props Props() => Akka.Actor.Props.Create(() => new CandidateSourceActor());

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Serve serve:
                (_sha256, _bytes) = (serve.Sha256, serve.Bytes);
                break;
            case GetChunk get when get.Sha256 == _sha256:
                var count = (_bytes.Length + ChunkBytes - 1) / ChunkBytes;
                if ((uint)get.Index < (uint)count)
                {
                    var chunk = _bytes.AsSpan(get.Index * ChunkBytes, Math.Min(ChunkBytes, _bytes.Length - get.Index * ChunkBytes)).ToArray();
                    Sender.Tell(new Chunk(get.Run, get.Round, _sha256, get.Index, count, chunk));
                }

                break;
            case GetChunk:
                break; // of another round: the node asks again when the coordinator has moved on
            default:
                Unhandled(message);
                break;
        }
    }

    /// <summary>From the coordinator, same process: from now on serve these bytes.</summary>
    internal sealed record Serve(string Sha256, byte[] Bytes) : Clients.ClientProtocol.ILocal;
}
