using System.Buffers;
using System.Collections.Immutable;
using Akka.Actor;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Clients;

/// <summary>
/// One federated client. It holds its own private texts and their embeddings, and answers with its vote: clipped to L2
/// norm 1 and rounded towards zero onto the fixed-point grid, so the norm can only shrink. Nothing else leaves it.
/// </summary>
public sealed class ClientActor : UntypedActor
{
    private readonly int _client;
    private readonly ClientFile _file;
    private readonly ISentenceEncoder _encoder;
    private ImmutableArray<string> _texts;
    private float[]? _embeddings;

    public ClientActor(int client, ClientFile file, ISentenceEncoder encoder)
    {
        _client = client;
        _file = file;
        _encoder = encoder;
    }

    /// <param name="client">Index of the client in the file.</param>
    /// <param name="file">Where the client's texts lie; it reads only its own.</param>
    /// <param name="encoder">Shared by all clients of the node.</param>
    public static Props Props(int client, ClientFile file, ISentenceEncoder encoder) =>
        Akka.Actor.Props.Create(() => new ClientActor(client, file, encoder)).WithDispatcher("chorus.client-dispatcher");

    protected override void OnReceive(object message)
    {
        if (message is CastVote cast)
            Sender.Tell(Answer(cast));
        else
            Unhandled(message);
    }

    private object Answer(CastVote cast)
    {
        var vote = ArrayPool<double>.Shared.Rent(cast.Scorer.VoteLength);
        var grid = ArrayPool<long>.Shared.Rent(cast.Scorer.VoteLength);
        try
        {
            var scores = vote.AsSpan(0, cast.Scorer.VoteLength);
            var kind = cast.Scorer.Vote(Embeddings(), scores);
            FixedPointGrid.Round(scores, grid.AsSpan(0, cast.Scorer.VoteLength));
            return new Vote(_client, cast.Round, cast.Lease, kind, grid, cast.Scorer.VoteLength);
        }
        catch (Exception e)
        {
            // Whatever it is: a client that restarted instead would never answer, and its block would wait for ever.
            // The message of an exception could quote what it choked on; its type cannot.
            ArrayPool<long>.Shared.Return(grid);
            return new VoteFailed(_client, cast.Round, cast.Lease, e.GetType().Name);
        }
        finally
        {
            ArrayPool<double>.Shared.Return(vote);
        }
    }

    private float[] Embeddings()
    {
        if (_embeddings is not null)
            return _embeddings;
        _texts = _file.ReadTexts(_client);
        var embeddings = new float[_texts.Length * _encoder.Dimension];
        _encoder.Encode(_texts, embeddings);
        return _embeddings = embeddings;
    }
}
