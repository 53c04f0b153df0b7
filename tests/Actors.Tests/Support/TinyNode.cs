using Chorus.Actors.Clients;
using Chorus.Actors.Hosting;
using Chorus.Actors.Methods;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Tests.Support;

/// <summary>What a client node knows of a tiny run: its data, opened, its encoder, one block of all clients, candidates.</summary>
internal sealed class TinyNode : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TinyNode(int clients = 50)
    {
        Corpus = FederatedCorpus.Open(TinyCorpus.Write(_folder.In("data"), clients));
        Encoder = HashedNgramEncoder.Fit(Corpus.Initial, 32);
        Scorer = new CandidateScorer(EmbeddingMatrix.Encode(
            Encoder, ["rivers and ports", "schools today", "farms", "trains and bridges", "clinics number 2", "we speak today about rivers"]));
    }

    /// <summary>HOCON that client actors need.</summary>
    public const string Hocon = "chorus.client-dispatcher { type = ForkJoinDispatcher, mailbox-type = \"Chorus.Actors.Clients.ClientMailbox, Chorus.Actors\", dedicated-thread-pool { thread-count = 2, threadtype = background } }";

    public FederatedCorpus Corpus { get; }

    public HashedNgramEncoder Encoder { get; }

    public CandidateScorer Scorer { get; }

    public RunOnNode Run(ISentenceEncoder? encoder = null) => new(
        "run", Corpus, new ClientData(Corpus.Clients, encoder ?? Encoder), new BlockLayout(Corpus.Clients.Count, Corpus.Clients.Count), RoundWork.Of(candidates => new CandidateScorer(candidates)));

    public void Dispose()
    {
        Corpus.Dispose();
        _folder.Dispose();
    }
}

/// <summary>An encoder that does first what the test wants, then encodes.</summary>
internal sealed class HookedEncoder(ISentenceEncoder inner, Action<IReadOnlyList<string>> before) : ISentenceEncoder
{
    public int Dimension => inner.Dimension;

    public void Encode(IReadOnlyList<string> texts, Span<float> destination)
    {
        before(texts);
        inner.Encode(texts, destination);
    }
}

/// <summary>The same votes, without the means to make many at once.</summary>
internal sealed class AloneScorer(IVoteScorer inner) : IVoteScorer
{
    public int Count => inner.Count;

    public int Dimension => inner.Dimension;

    public int VoteLength => inner.VoteLength;

    public VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote) => inner.Vote(textEmbeddings, vote);

    public double[] Scores(ReadOnlySpan<double> sum) => inner.Scores(sum);
}
