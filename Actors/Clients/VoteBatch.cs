using System.Buffers;
using System.Runtime.InteropServices;
using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Clients;

/// <summary>
/// Some clients of a block whose votes are one matrix product. A block owns it and keeps its books on its own thread; each
/// row is its client's until that has answered; product and sum are made by one thread at a time, while nobody else writes.
/// </summary>
/// <remarks>How many clients there are in a batch, and which, changes no bit of any vote.</remarks>
internal sealed class VoteBatch
{
    private const int MostRows = 64;
    private const int MostNumbers = 1 << 20;   // 8 MiB of votes, where more than four are within that
    private const int FewestRows = 4;

    private enum Stage : byte
    {
        Asked,
        Summed,
        Voted,
    }

    private readonly IBlockScorer _scorer;
    private readonly ReadOnlyMemory<int> _clients;
    private readonly double[] _summaries;
    private readonly double[] _votes;
    private readonly Stage[] _stages;
    private readonly VoteKind[] _kinds;
    private readonly int[] _texts;
    private int _open;

    /// <param name="id">Tells it from the block's other batches.</param>
    /// <param name="clients">Ascending.</param>
    public VoteBatch(int id, IBlockScorer scorer, ReadOnlyMemory<int> clients)
    {
        (Id, _scorer, _clients, _open) = (id, scorer, clients, clients.Length);
        _summaries = ArrayPool<double>.Shared.Rent(clients.Length * scorer.Dimension);
        _votes = ArrayPool<double>.Shared.Rent(clients.Length * scorer.VoteLength);
        (_stages, _kinds, _texts) = (new Stage[clients.Length], new VoteKind[clients.Length], new int[clients.Length]);
    }

    public int Id { get; }

    public ReadOnlySpan<int> Clients => _clients.Span;

    /// <summary>Rows of a batch of votes of this length.</summary>
    public static int RowsFor(int voteLength) =>
        Math.Clamp(MostNumbers / Math.Max(1, voteLength) / FewestRows * FewestRows, FewestRows, MostRows);

    public BatchRow RowOf(int row) => new(
        Id, row, _summaries.AsMemory(row * _scorer.Dimension, _scorer.Dimension), _votes.AsMemory(row * _scorer.VoteLength, _scorer.VoteLength));

    /// <summary>Texts that a row's sum is of.</summary>
    public int TextsOf(int row) => _texts[row];

    /// <summary>Takes a client's answer to the first question, once.</summary>
    /// <returns>True where it was the last one: the product can be made.</returns>
    public bool TakeSum(int row, int client, VoteKind kind, int texts)
    {
        if (!Take(row, client, Stage.Asked, Stage.Summed, kind))
            return false;
        _texts[row] = texts;
        return --_open == 0;
    }

    /// <summary>Y = X A^T, whatever the rows hold.</summary>
    public void Multiply() => _scorer.Multiply(_summaries.AsSpan(0, _clients.Length * _scorer.Dimension), Votes);

    /// <summary>The rows whose clients have a vote to make of their products; the others' votes are zero and done.</summary>
    public List<int> StartFinish()
    {
        var rows = new List<int>();
        for (var row = 0; row < _kinds.Length; row++)
        {
            if (_kinds[row] == VoteKind.Counted)
                rows.Add(row);
        }

        _open = rows.Count;
        return rows;
    }

    /// <summary>Takes a client's answer to the second question, once.</summary>
    /// <returns>True where it was the last one: the votes can be added up.</returns>
    public bool TakeVote(int row, int client, VoteKind kind) => Take(row, client, Stage.Summed, Stage.Voted, kind) && --_open == 0;

    /// <summary>The votes' sum in grid units, from <see cref="AddUp"/> to <see cref="Release"/>: it takes the first row's place.</summary>
    public ReadOnlySpan<long> Sum => GridUnits[.._scorer.VoteLength];

    /// <summary>What became of the votes, from <see cref="AddUp"/> on.</summary>
    public VoteTally Tally { get; private set; } = VoteTally.None;

    /// <summary>Adds the votes up, none longer than the gate lets it be.</summary>
    public void AddUp(VoteGate gate)
    {
        var length = _scorer.VoteLength;
        var tally = VoteTally.None;
        for (var row = 0; row < _kinds.Length; row++)
        {
            var vote = GridUnits.Slice(row * length, length);
            tally += VoteTally.Of(_kinds[row]);
            if (_kinds[row] != VoteKind.Counted)
                vote.Clear();
            else if (!gate.Admit(vote))
                tally += VoteTally.OfClipped;
            if (row > 0)
                FixedPointGrid.Add(vote, GridUnits[..length]);
        }

        Tally = tally;
    }

    /// <summary>Gives the memory back; only once every client has answered, for the rows are theirs until then.</summary>
    public void Release()
    {
        ArrayPool<double>.Shared.Return(_summaries, clearArray: true); // they held the clients' texts
        ArrayPool<double>.Shared.Return(_votes);
    }

    private Span<long> GridUnits => MemoryMarshal.Cast<double, long>(Votes);

    private Span<double> Votes => _votes.AsSpan(0, _clients.Length * _scorer.VoteLength);

    // A row, client and kind that a client names are its own claim.
    private bool Take(int row, int client, Stage from, Stage to, VoteKind kind)
    {
        if ((uint)row >= (uint)_stages.Length || _clients.Span[row] != client || _stages[row] != from)
            return false;
        (_stages[row], _kinds[row]) = (to, kind);
        return true;
    }
}
