using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Runs;

/// <summary>The coordinator's answer to a claim.</summary>
public enum ClaimAnswer
{
    Granted,
    Denied,

    /// <summary>The collector was given up: nothing it holds counts.</summary>
    Revoked,

    /// <summary>The collector's sum was merged already; it must start a new one.</summary>
    Merged,
}

/// <summary>
/// One round's blocks: which are leased, which collector counts which, what is merged. This is where 'no client is
/// counted twice, none silently lost' is decided. Invariant: every block is pending, or granted to exactly one live
/// collector, or merged; a partial sum is merged only if its blocks are exactly those granted to its collector, and
/// merging ends that collector's name. So the merged sum holds every block once, in whatever order messages come, are
/// repeated or lost.
/// </summary>
public sealed class BlockLeases
{
    private enum Phase
    {
        Pending,
        Granted,
        Merged,
    }

    private const int AttemptShift = 32;

    private readonly string _run;
    private readonly int _round;
    private readonly Block[] _blocks;
    private readonly HashSet<string> _revoked = [];
    private readonly HashSet<string> _merged = [];
    private readonly long[] _sum;
    private readonly List<int> _clients = [];

    /// <param name="run">The run.</param>
    /// <param name="round">The round.</param>
    /// <param name="sampled">For each block, the indices of its sampled clients, ascending.</param>
    /// <param name="candidates">Length of the sum.</param>
    /// <param name="attempt">Grows each time a coordinator starts the round's leasing: all its leases are newer than those before.</param>
    public BlockLeases(string run, int round, IReadOnlyList<int[]> sampled, int candidates, int attempt = 0)
    {
        _run = run;
        _round = round;
        _blocks = [.. sampled.Select(s => new Block(s, ((long)attempt << AttemptShift) + 1))];
        _sum = new long[candidates];
    }

    /// <summary>Blocks that no collector counts yet, with their live leases, in order.</summary>
    public IEnumerable<(int Block, long Lease)> Pending =>
        _blocks.Select((b, i) => (b, i)).Where(x => x.b.Phase == Phase.Pending).Select(x => (x.i, x.b.Lease));

    public bool AllGranted => Array.TrueForAll(_blocks, b => b.Phase != Phase.Pending);

    public bool AllMerged => Array.TrueForAll(_blocks, b => b.Phase == Phase.Merged);

    public int Blocks => _blocks.Length;

    public int BlocksGranted => _blocks.Count(b => b.Phase != Phase.Pending);

    /// <summary>Clients of the blocks that are granted or merged.</summary>
    public int ClientsGranted => _blocks.Where(b => b.Phase != Phase.Pending).Sum(b => b.Sampled.Length);

    public int ClientsSampled => _blocks.Sum(b => b.Sampled.Length);

    /// <summary>Collectors that hold granted blocks.</summary>
    public IEnumerable<string> Holders => _blocks.Where(b => b.Phase == Phase.Granted).Select(b => b.Collector!).Distinct();

    /// <summary>The merged sum.</summary>
    public long[] Sum => _sum;

    /// <summary>Indices of the clients in it.</summary>
    public IReadOnlyList<int> Clients => _clients;

    public VoteTally Tally { get; private set; } = VoteTally.None;

    /// <summary>May this collector count this block? Asking again gets the same answer.</summary>
    public ClaimAnswer Claim(int block, long lease, string collector)
    {
        if (_revoked.Contains(collector))
            return ClaimAnswer.Revoked;
        if (_merged.Contains(collector))
            return ClaimAnswer.Merged;
        if ((uint)block >= (uint)_blocks.Length || _blocks[block].Lease != lease)
            return ClaimAnswer.Denied;
        var entry = _blocks[block];
        if (entry.Phase == Phase.Pending)
        {
            entry.Phase = Phase.Granted;
            entry.Collector = collector;
            return ClaimAnswer.Granted;
        }

        return entry.Phase == Phase.Granted && entry.Collector == collector ? ClaimAnswer.Granted : ClaimAnswer.Denied;
    }

    /// <summary>Gives up every collector that the predicate names: its blocks are pending again, under new leases.</summary>
    /// <returns>How many blocks are leased anew.</returns>
    public int Revoke(Func<string, bool> lost)
    {
        var count = 0;
        foreach (var block in _blocks)
        {
            if (block.Phase == Phase.Granted && lost(block.Collector!))
            {
                _revoked.Add(block.Collector!);
                (block.Phase, block.Collector) = (Phase.Pending, null);
                block.Lease++;
                count++;
            }
        }

        return count;
    }

    /// <summary>Merges a partial sum, once, if it is exactly what its collector was granted.</summary>
    /// <returns>False: late, doubled, or of a collector that was given up; nothing changed.</returns>
    public bool Merge(PartialSum partial)
    {
        if (partial.Run != _run || partial.Round != _round || _revoked.Contains(partial.Collector) || _merged.Contains(partial.Collector))
            return false;
        var granted = _blocks.Select((b, i) => (b, i)).Where(x => x.b.Phase == Phase.Granted && x.b.Collector == partial.Collector).ToArray();
        if (granted.Length == 0
            || !granted.Select(g => new GrantedBlock(g.i, g.b.Lease)).SequenceEqual(partial.Blocks)
            || partial.Sum.Length != _sum.Length
            || !granted.SelectMany(g => g.b.Sampled).SequenceEqual(partial.Clients))
        {
            return false;
        }

        FixedPointGrid.Add(partial.Sum, _sum);
        _clients.AddRange(partial.Clients);
        Tally += partial.Tally;
        _merged.Add(partial.Collector);
        foreach (var (block, _) in granted)
            block.Phase = Phase.Merged;
        return true;
    }

    /// <summary>Closes the round without the blocks that nobody counts: their leases end, and they are out of it.</summary>
    public void DropPending()
    {
        foreach (var block in _blocks)
        {
            if (block.Phase == Phase.Pending)
            {
                block.Phase = Phase.Merged;
                block.Lease++;
            }
        }
    }

    /// <summary>Which attempt at the round a lease belongs to.</summary>
    public static int AttemptOf(long lease) => (int)(lease >> AttemptShift);

    private sealed class Block(int[] sampled, long lease)
    {
        public int[] Sampled { get; } = sampled;

        public long Lease { get; set; } = lease;

        public Phase Phase { get; set; }

        public string? Collector { get; set; }
    }
}
