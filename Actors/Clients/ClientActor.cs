using System.Buffers;
using System.Collections.Immutable;
using Akka.Actor;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
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
        switch (message)
        {
            case CastVote { Work: IVoteScorer scorer } cast:
                Sender.Tell(Answer(cast, scorer));
                break;
            case CastVote { Work: IClientTrainer trainer } cast:
                Train(cast, trainer);
                break;
            case CastVote cast:
                Sender.Tell(new VoteFailed(_client, cast.Round, cast.Lease, $"no client knows how to do {cast.Work.GetType().Name}"));
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    /// <summary>The device works for many clients; this one waits for it without holding a thread.</summary>
    private void Train(CastVote cast, IClientTrainer trainer)
    {
        var (client, length) = (_client, trainer.VoteLength);
        try
        {
            trainer.TrainAsync(_file.ReadTexts(_client)).PipeTo(
                Sender,
                success: made => new Vote(client, cast.Round, cast.Lease, made.Kind, made.Grid, length),
                failure: e => new VoteFailed(client, cast.Round, cast.Lease, e.GetBaseException().GetType().Name));
        }
        catch (Exception e)
        {
            Sender.Tell(new VoteFailed(client, cast.Round, cast.Lease, e.GetType().Name));
        }
    }

    private object Answer(CastVote cast, IVoteScorer scorer)
    {
        var vote = ArrayPool<double>.Shared.Rent(scorer.VoteLength);
        var grid = ArrayPool<long>.Shared.Rent(scorer.VoteLength);
        try
        {
            var scores = vote.AsSpan(0, scorer.VoteLength);
            var kind = scorer.Vote(Embeddings(), scores);
            FixedPointGrid.Round(scores, grid.AsSpan(0, scorer.VoteLength));
            return new Vote(_client, cast.Round, cast.Lease, kind, grid, scorer.VoteLength);
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
