using System.Diagnostics;
using Chorus.Actors.Clients;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Benchmarks.Scale;

/// <summary>What a round's actors are measured against: its arithmetic as a plain parallel loop, and one matrix product of its size.</summary>
internal sealed class PlainRound : IDisposable
{
    private const int RowsAtOnce = 56;

    private readonly FederatedCorpus _corpus;
    private readonly ClientData _clients;

    /// <param name="data">The data folder, whose embeddings lie in the cache.</param>
    public PlainRound(string data)
    {
        _corpus = RunData.Open(new DataSettings(data, null, ClientStorage.Disk));
        var encoder = HashedNgramEncoder.Fit(_corpus.Initial, 384);
        _clients = new ClientData(_corpus.Clients, encoder, RunData.EmbeddingsOf(_corpus, encoder));
    }

    /// <summary>Makes what the loop votes with, untimed.</summary>
    public IBlockScorer Scorer(int candidates, bool subspace)
    {
        var matrix = EmbeddingMatrix.Encode(_clients.Encoder, [.. BenchmarkCorpus.Texts(7, candidates)]);
        return subspace ? new SubspaceScorer(matrix) : new CandidateScorer(matrix);
    }

    /// <summary>Reads every client's embeddings, sums its texts, multiplies, makes the votes, rounds them, adds them up.</summary>
    public double Loop(IBlockScorer scorer)
    {
        var start = Stopwatch.GetTimestamp();
        var total = new long[scorer.VoteLength];
        var pieces = (_corpus.Clients.Count + RowsAtOnce - 1) / RowsAtOnce;
        Parallel.For(
            0, pieces, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            () => new Worker(scorer, _clients),
            (piece, _, worker) =>
            {
                worker.Count(piece * RowsAtOnce, Math.Min(RowsAtOnce, _corpus.Clients.Count - (piece * RowsAtOnce)));
                return worker;
            },
            worker =>
            {
                lock (total)
                    FixedPointGrid.Add(worker.Sum, total);
            });
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>libtorch's product [clients, dimension] x [dimension, votes], on all cores.</summary>
    public double Product(int length, ScalarType type)
    {
        const int Rows = 250;
        using var scope = NewDisposeScope();
        torch.set_num_threads(Environment.ProcessorCount);
        var left = torch.randn([Rows, 384], type);
        var right = torch.randn([length, 384], type).t();
        left.matmul(right).Dispose();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < _corpus.Clients.Count / Rows; i++)
            left.matmul(right).Dispose();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public void Dispose()
    {
        _clients.Kept?.Dispose();
        _corpus.Dispose();
    }

    private sealed class Worker(IBlockScorer scorer, ClientData clients)
    {
        private readonly double[] _summaries = new double[RowsAtOnce * scorer.Dimension];
        private readonly double[] _votes = new double[RowsAtOnce * scorer.VoteLength];
        private readonly long[] _grid = new long[scorer.VoteLength];
        private float[] _embeddings = [];

        public long[] Sum { get; } = new long[scorer.VoteLength];

        public void Count(int first, int count)
        {
            for (var i = 0; i < count; i++)
            {
                var length = clients.NumbersOf(first + i);
                if (_embeddings.Length < length)
                    _embeddings = new float[length];
                clients.Embed(first + i, _embeddings.AsSpan(0, length));
                scorer.Summarise(_embeddings.AsSpan(0, length), _summaries.AsSpan(i * scorer.Dimension, scorer.Dimension));
            }

            scorer.Multiply(_summaries.AsSpan(0, count * scorer.Dimension), _votes.AsSpan(0, count * scorer.VoteLength));
            for (var i = 0; i < count; i++)
            {
                var vote = _votes.AsSpan(i * scorer.VoteLength, scorer.VoteLength);
                if (scorer.Finish(clients.NumbersOf(first + i) / scorer.Dimension, vote) != VoteKind.Counted)
                    continue;
                FixedPointGrid.Round(vote, _grid);
                FixedPointGrid.Add(_grid, Sum);
            }
        }
    }
}
