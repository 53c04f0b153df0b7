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
        Dropped,
    }

    private const int AttemptShift = 32;

    private readonly string _run;
    private readonly int _round;
    private readonly Block[] _blocks;
    private readonly SortedSet<int> _pending;
    private readonly Dictionary<string, SortedSet<int>> _granted = [];
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
        _pending = [.. Enumerable.Range(0, _blocks.Length)];
        _sum = new long[candidates];
        ClientsSampled = sampled.Sum(s => s.Length);
    }

    /// <summary>Blocks that no collector counts yet, with their live leases, in order.</summary>
    public IEnumerable<(int Block, long Lease)> Pending => _pending.Select(i => (i, _blocks[i].Lease));

    public bool AllGranted => _pending.Count == 0;

    public bool AllMerged => AllGranted && _granted.Count == 0;

    public int Blocks => _blocks.Length;

    public int BlocksGranted => _blocks.Length - _pending.Count;

    /// <summary>Clients of the blocks that are granted or merged.</summary>
    public int ClientsGranted { get; private set; }

    public int ClientsSampled { get; }

    /// <summary>Collectors that hold granted blocks.</summary>
    public IEnumerable<string> Holders => _granted.Keys;

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
            (entry.Phase, entry.Collector) = (Phase.Granted, collector);
            _pending.Remove(block);
            if (!_granted.TryGetValue(collector, out var held))
                _granted.Add(collector, held = []);
            held.Add(block);
            ClientsGranted += entry.Sampled.Length;
            return ClaimAnswer.Granted;
        }

        return entry.Phase == Phase.Granted && entry.Collector == collector ? ClaimAnswer.Granted : ClaimAnswer.Denied;
    }

    /// <summary>Gives up every collector that the predicate names: its blocks are pending again, under new leases.</summary>
    /// <returns>How many blocks are leased anew.</returns>
    public int Revoke(Func<string, bool> lost)
    {
        var count = 0;
        foreach (var collector in _granted.Keys.Where(lost).ToArray())
        {
            _revoked.Add(collector);
            _granted.Remove(collector, out var held);
            foreach (var i in held!)
            {
                var block = _blocks[i];
                (block.Phase, block.Collector) = (Phase.Pending, null);
                block.Lease++;
                ClientsGranted -= block.Sampled.Length;
                _pending.Add(i);
                count++;
            }
        }

        return count;
    }

    /// <summary>Merges a partial sum, once, if it is exactly what its collector was granted.</summary>
    /// <returns>False: late, doubled, of a collector that was given up, or of numbers that so many votes cannot add up to; nothing changed.</returns>
    public bool Merge(PartialSum partial)
    {
        if (partial.Run != _run || partial.Round != _round || _revoked.Contains(partial.Collector) || _merged.Contains(partial.Collector)
            || !_granted.TryGetValue(partial.Collector, out var held))
        {
            return false;
        }

        var most = partial.Clients.Count * FixedPointGrid.UnitsPerOne; // no coordinate of a vote is beyond 1
        if (!held.Select(i => new GrantedBlock(i, _blocks[i].Lease)).SequenceEqual(partial.Blocks)
            || partial.Clients != held.Aggregate(default(ClientDigest), (sum, i) => sum + _blocks[i].Digest)
            || partial.Sum.Length != _sum.Length
            || partial.Sum.Any(units => units > most || units < -most))
        {
            return false;
        }

        FixedPointGrid.Add(partial.Sum, _sum);
        Tally += partial.Tally;
        _merged.Add(partial.Collector);
        _granted.Remove(partial.Collector);
        foreach (var i in held)
        {
            _blocks[i].Phase = Phase.Merged;
            _clients.AddRange(_blocks[i].Sampled);
        }

        return true;
    }

    /// <summary>Closes the round without the blocks that nobody counts: their leases end, and they are out of it.</summary>
    public void DropPending()
    {
        foreach (var i in _pending)
        {
            _blocks[i].Phase = Phase.Dropped;
            _blocks[i].Lease++;
        }

        _pending.Clear();
    }

    /// <summary>Closes the round without the collectors that did not hand over what they hold: they are given up, and their blocks are out of it.</summary>
    public void DropGranted()
    {
        Revoke(_ => true);
        DropPending();
    }

    /// <summary>Which attempt at the round a lease belongs to.</summary>
    public static int AttemptOf(long lease) => (int)(lease >> AttemptShift);

    private sealed class Block(int[] sampled, long lease)
    {
        public int[] Sampled { get; } = sampled;

        public ClientDigest Digest { get; } = ClientDigest.Of(sampled);

        public long Lease { get; set; } = lease;

        public Phase Phase { get; set; }

        public string? Collector { get; set; }
    }
}
