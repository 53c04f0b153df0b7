using Akka.TestKit.Xunit2;
using Chorus.Actors.Clients;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Tests.Clients;

public sealed class ClientActorTests() : TestKit(TinyNode.Hocon)
{
    private readonly TinyNode _node = new();

    [Fact]
    public async Task Given_a_client_with_texts_When_asked_Then_it_answers_with_its_vote_rounded_onto_the_grid()
    {
        var vote = await Ask<Vote>(7);

        var scores = new double[_node.Scorer.Count];
        Assert.Equal(VoteKind.Counted, _node.Scorer.Vote(EmbeddingMatrix.Encode(_node.Encoder, _node.Corpus.Clients.ReadTexts(7)).Values.Span, scores));
        Assert.Equal((7, 3, 4L, VoteKind.Counted), (vote.Client, vote.Round, vote.Lease, vote.Kind));
        Assert.Equal(scores.Select(s => (long)Math.Truncate(s * FixedPointGrid.UnitsPerOne)), vote.Grid.Take(vote.Length));
        Assert.Contains(vote.Grid.Take(vote.Length), v => v != 0);
    }

    [Fact]
    public async Task Given_a_client_without_text_When_asked_Then_it_gives_a_zero_vote_and_says_why()
    {
        var vote = await Ask<Vote>(8);

        Assert.Equal(VoteKind.NoText, vote.Kind);
        Assert.All(vote.Grid.Take(vote.Length), v => Assert.Equal(0, v));
    }

    [Fact]
    public async Task Given_a_file_that_is_gone_When_asked_Then_the_vote_fails_without_a_text_in_the_reason()
    {
        var file = ClientFile.Open(Path.Combine(_node.Corpus.Directory, "train_clients.json"));
        file.Dispose();
        var failed = await Ask<VoteFailed>(7, file: file);
        Assert.Equal(nameof(ObjectDisposedException), failed.Reason);
    }

    [Fact]
    public async Task Given_an_encoder_that_quotes_what_it_chokes_on_When_asked_Then_the_reason_does_not_and_the_client_lives_on()
    {
        var first = true;
        var encoder = new HookedEncoder(_node.Encoder, texts =>
        {
            if (first)
            {
                first = false;
                throw new InvalidCastException($"cannot encode {texts[0]}");
            }
        });
        var client = Sys.ActorOf(ClientActor.Props(new ClientData(_node.Corpus.Clients, encoder)), ClientActor.NameOf(7, 0));
        client.Tell(new CastVote("run", 3, 4, _node.Scorer), TestActor);
        Assert.Equal(new VoteFailed(7, 3, 4, nameof(InvalidCastException)), await ExpectMsgAsync<VoteFailed>(TimeSpan.FromSeconds(20)));
        client.Tell(new CastVote("run", 3, 5, _node.Scorer), TestActor);
        Assert.Equal(VoteKind.Counted, (await ExpectMsgAsync<Vote>(TimeSpan.FromSeconds(20))).Kind);
    }

    private async Task<T> Ask<T>(int client, ClientFile? file = null)
    {
        Sys.ActorOf(ClientActor.Props(new ClientData(file ?? _node.Corpus.Clients, _node.Encoder)), ClientActor.NameOf(client, 0)).Tell(new CastVote("run", 3, 4, _node.Scorer), TestActor);
        return await ExpectMsgAsync<T>(TimeSpan.FromSeconds(20));
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        _node.Dispose();
    }
}
