using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using Akka.Actor;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Clients;

/// <summary>
/// One federated client. It reads its own private texts and their embeddings, and answers with its vote: clipped to L2
/// norm 1 and rounded towards zero onto the fixed-point grid, so the norm can only shrink. Nothing else leaves it.
/// </summary>
/// <remarks>
/// There may be a million of them on a node: where embeddings are kept on disk a client holds nothing but its number, which
/// is its name, and all clients of a block share one Props.
/// </remarks>
public sealed class ClientActor : UntypedActor
{
    /// <summary>Where clients run: their arithmetic has threads of its own, so that heartbeats never wait for it.</summary>
    internal const string Dispatcher = "chorus.client-dispatcher";

    private readonly int _client = IndexOf(Context.Self.Path.Name);
    private readonly ClientData _data;
    private float[]? _embeddings;

    public ClientActor(ClientData data) => _data = data;

    /// <summary>The name of a client's actor.</summary>
    /// <param name="population">Grows where a block's clients are replaced by those of another run.</param>
    internal static string NameOf(int client, int population) => string.Create(CultureInfo.InvariantCulture, $"{client}.{population}");

    /// <summary>Of all clients of a block; each takes its index in the data from its name.</summary>
    /// <param name="data">Shared by all clients of the node.</param>
    public static Props Props(ClientData data) =>
        Akka.Actor.Props.CreateBy(new Producer(data)).WithDispatcher(Dispatcher);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case SumTexts sum:
                Sender.Tell(Try(sum.Round, sum.Lease, () => Sum(sum)));
                break;
            case FinishVote finish:
                Sender.Tell(Try(finish.Round, finish.Lease, () => Finish(finish)));
                break;
            case CastVote { Work: IVoteScorer scorer } cast:
                Sender.Tell(Try(cast.Round, cast.Lease, () => Cast(cast, scorer)));
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
            trainer.TrainAsync(_data.TextsOf(_client)).PipeTo(
                Sender,
                Self,
                success: made => new Vote(client, cast.Round, cast.Lease, made.Kind, made.Grid, length),
                failure: e => new VoteFailed(client, cast.Round, cast.Lease, e.GetBaseException().GetType().Name));
        }
        catch (Exception e)
        {
            Sender.Tell(new VoteFailed(client, cast.Round, cast.Lease, e.GetType().Name));
        }
    }

    private static int IndexOf(string name) => int.Parse(name.AsSpan(0, name.IndexOf('.', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture);

    private TextsSummed Sum(SumTexts sum)
    {
        var kind = VoteKind.NoText;
        var texts = WithEmbeddings(embeddings =>
        {
            kind = sum.Scorer.Summarise(embeddings, sum.Row.Summary.Span);
            return embeddings.Length / sum.Scorer.Dimension;
        });
        return new TextsSummed(_client, sum.Round, sum.Lease, sum.Row.Batch, sum.Row.Row, kind, texts);
    }

    private VoteFinished Finish(FinishVote finish)
    {
        var vote = finish.Row.Vote.Span;
        var kind = finish.Scorer.Finish(finish.Texts, vote);
        FixedPointGrid.Round(vote, MemoryMarshal.Cast<double, long>(vote));
        return new VoteFinished(_client, finish.Round, finish.Lease, finish.Row.Batch, finish.Row.Row, kind);
    }

    private Vote Cast(CastVote cast, IVoteScorer scorer)
    {
        var vote = ArrayPool<double>.Shared.Rent(scorer.VoteLength);
        var grid = ArrayPool<long>.Shared.Rent(scorer.VoteLength);
        try
        {
            var kind = WithEmbeddings(embeddings => scorer.Vote(embeddings, vote.AsSpan(0, scorer.VoteLength)));
            FixedPointGrid.Round(vote.AsSpan(0, scorer.VoteLength), grid.AsSpan(0, scorer.VoteLength));
            return new Vote(_client, cast.Round, cast.Lease, kind, grid, scorer.VoteLength);
        }
        catch
        {
            ArrayPool<long>.Shared.Return(grid);
            throw;
        }
        finally
        {
            ArrayPool<double>.Shared.Return(vote);
        }
    }

    /// <summary>An answer, or that there is none.</summary>
    /// <remarks>
    /// Whatever goes wrong: a client that restarted instead would never answer, and its block would wait for ever. The message of
    /// an exception could quote what it choked on; its type cannot.
    /// </remarks>
    private ILocal Try(int round, long lease, Func<ILocal> answer)
    {
        try
        {
            return answer();
        }
        catch (Exception e)
        {
            return new VoteFailed(_client, round, lease, e.GetType().Name);
        }
    }

    private T WithEmbeddings<T>(Func<ReadOnlySpan<float>, T> use)
    {
        if (_embeddings is not null)
            return use(_embeddings);
        var length = _data.NumbersOf(_client);
        if (_data.Kept is null)
        {
            var own = new float[length];
            _data.Embed(_client, own);
            return use(_embeddings = own);
        }

        var rented = ArrayPool<float>.Shared.Rent(length);
        try
        {
            _data.Embed(_client, rented.AsSpan(0, length));
            return use(rented.AsSpan(0, length));
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented, clearArray: true); // nothing private stays in a pool that anybody rents from
        }
    }

    private sealed class Producer(ClientData data) : IIndirectActorProducer
    {
        public Type ActorType => typeof(ClientActor);

        public ActorBase Produce() => new ClientActor(data);

        public void Release(ActorBase actor)
        {
        }
    }
}
