using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Candidates;
using Chorus.Actors.Hosting;
using Chorus.Actors.Methods;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Candidates.CandidateProtocol;

namespace Chorus.Actors.Tests.Candidates;

/// <summary>The source and the cache, with the test as the network between them.</summary>
public sealed class CandidateTransferTests : TestKit
{
    private static readonly int[] Chunks = [0, 1, 2];
    private static readonly TimeSpan Never = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly EmbeddingMatrix _first = Matrix(1);
    private readonly EmbeddingMatrix _second = Matrix(2);
    private readonly TestProbe _network;
    private readonly IActorRef _source;

    public CandidateTransferTests()
    {
        _network = CreateTestProbe();
        _source = Sys.ActorOf(CandidateSourceActor.Props());
        Serve(_first);
    }

    [Fact]
    public async Task Given_candidates_of_several_chunks_When_a_block_asks_Then_they_come_chunk_by_chunk_and_later_blocks_get_them_at_once()
    {
        var cache = Cache(Never);
        cache.Tell(Get(1, _first.Sha256), TestActor);
        Assert.Equal(Chunks, await PassAllAsync(cache));
        var held = await ExpectMsgAsync<WorkHeld>(Patience);
        cache.Tell(Get(1, _first.Sha256), TestActor);

        Assert.Same(held, await ExpectMsgAsync<WorkHeld>(Patience));
        var scorer = Assert.IsType<CandidateScorer>(held.Work);
        Assert.Equal((_first.Rows, _first.Dimension), (scorer.Count, scorer.Dimension));
        await _network.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_a_lost_chunk_When_time_passes_Then_it_is_asked_for_again_and_chunks_that_come_twice_count_once()
    {
        var cache = Cache(TimeSpan.FromMilliseconds(50));
        cache.Tell(Get(1, _first.Sha256), TestActor);
        var lost = await _network.ExpectMsgAsync<GetChunk>(Patience);
        var again = await _network.ExpectMsgAsync<GetChunk>(Patience);
        Assert.Equal(lost, again);
        var chunk = await ChunkAsync(again);
        cache.Tell(chunk);
        cache.Tell(chunk);
        // From here chunks are asked for and, where this machine is slow, asked for twice; each is passed on as it is asked for.
        await PassUntilHeldAsync(cache);
    }

    [Fact]
    public async Task Given_a_damaged_chunk_When_the_hash_does_not_fit_Then_all_is_fetched_again()
    {
        var cache = Cache(Never);
        cache.Tell(Get(1, _first.Sha256), TestActor);
        Assert.Equal(Chunks, await PassAllAsync(cache, damage: 1));
        Assert.Equal(Chunks, await PassAllAsync(cache));
        await ExpectMsgAsync<WorkHeld>(Patience);
    }

    [Fact]
    public async Task Given_a_fetch_under_way_When_a_newer_round_is_asked_for_Then_it_is_fetched_and_chunks_of_the_old_one_are_dropped()
    {
        var (cache, old) = (Cache(Never), CreateTestProbe());
        cache.Tell(Get(1, _first.Sha256), old);
        var late = await ChunkAsync(await _network.ExpectMsgAsync<GetChunk>(Patience));
        cache.Tell(Get(2, _second.Sha256), TestActor);
        cache.Tell(late);
        Serve(_second);
        Assert.Equal(Chunks, await PassAllAsync(cache));

        Assert.Equal(_second.Sha256, (await ExpectMsgAsync<WorkHeld>(Patience)).Sha256);
        await old.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_a_newer_round_on_its_way_When_a_late_block_asks_for_the_older_one_Then_the_newer_one_still_arrives()
    {
        Serve(_second);
        var cache = Cache(Never);
        cache.Tell(Get(2, _second.Sha256), TestActor);
        cache.Tell(Get(1, _first.Sha256), CreateTestProbe());
        Assert.Equal(Chunks, await PassAllAsync(cache));
        Assert.Equal(_second.Sha256, (await ExpectMsgAsync<WorkHeld>(Patience)).Sha256);
    }

    [Fact]
    public async Task Given_candidates_that_no_scorer_can_be_made_of_When_fetched_Then_the_block_hears_why_and_may_ask_again()
    {
        var broken = new EmbeddingMatrix(1, 2, [1, float.NaN]);
        Serve(broken);
        var cache = Cache(Never);
        for (var i = 0; i < 2; i++)
        {
            cache.Tell(Get(1, broken.Sha256), TestActor);
            cache.Tell(await ChunkAsync(await _network.ExpectMsgAsync<GetChunk>(Patience)));
            Assert.Contains("candidate 0 must be finite", (await ExpectMsgAsync<NodeUnfit>(Patience)).Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Given_a_source_When_asked_for_other_candidates_or_chunks_that_are_not_Then_it_is_silent()
    {
        _source.Tell(new GetChunk("run", 2, _second.Sha256, 0), TestActor);
        _source.Tell(new GetChunk("run", 1, _first.Sha256, 3), TestActor);
        _source.Tell(new GetChunk("run", 1, _first.Sha256, -1), TestActor);
        _source.Tell(new GetChunk("run", 1, _first.Sha256, 2), TestActor);
        var chunk = await ExpectMsgAsync<Chunk>(Patience);
        Assert.Equal((2, 3), (chunk.Index, chunk.Count));
        Assert.Equal(_first.ToBytes().Length - (2 * CandidateSourceActor.ChunkBytes), chunk.Bytes.Length);
    }

    /// <summary>2.2 MB: three chunks.</summary>
    private static EmbeddingMatrix Matrix(int seed)
    {
        var random = new Random(seed);
        return new EmbeddingMatrix(550, 1000, [.. Enumerable.Range(0, 550_000).Select(_ => random.NextSingle() - 0.5f)]);
    }

    private static GetWork Get(int round, string sha256) => new("run", round, sha256, RoundWork.Of(candidates => new CandidateScorer(candidates)));

    private IActorRef Cache(TimeSpan retry) => Sys.ActorOf(CandidateCacheActor.Props(_network, retry));

    private void Serve(EmbeddingMatrix matrix) => _source.Tell(new CandidateSourceActor.Serve(matrix.Sha256, matrix.ToBytes()));

    private async Task<Chunk> ChunkAsync(GetChunk get) => await _source.Ask<Chunk>(get, Patience);

    /// <summary>Passes the three chunks on as they are asked for.</summary>
    /// <param name="damage">The chunk in which a bit flips on the way.</param>
    /// <returns>Which were asked for.</returns>
    private async Task<int[]> PassAllAsync(IActorRef cache, int damage = -1)
    {
        var asked = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            var get = await _network.ExpectMsgAsync<GetChunk>(Patience);
            asked.Add(get.Index);
            var chunk = await ChunkAsync(get);
            if (get.Index == damage)
                chunk.Bytes[12345] ^= 1;
            cache.Tell(chunk);
        }

        return [.. asked];
    }

    private async Task PassUntilHeldAsync(IActorRef cache)
    {
        while (!HasMessages)
        {
            if (await _network.ReceiveOneAsync(TimeSpan.FromMilliseconds(50)) is GetChunk get)
                cache.Tell(await ChunkAsync(get));
        }

        Assert.Equal(_first.Sha256, (await ExpectMsgAsync<WorkHeld>(Patience)).Sha256);
    }
}
