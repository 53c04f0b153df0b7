using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Collection;

/// <summary>
/// A partial sum on its way in parts: each well under the frame of remoting, asked for one after another. Holds what has come of
/// one collector's; a part that is not the next one, or of a sum that has changed since, changes nothing.
/// </summary>
internal sealed class PartialParts(string collector, int length)
{
    /// <summary>Numbers of a part: 1 MiB before packing.</summary>
    public const int Numbers = 1 << 17;

    private readonly long[] _sum = new long[length];
    private PartialSum? _first;

    public string Collector => collector;

    /// <summary>The part to ask for.</summary>
    public int Next { get; private set; }

    /// <summary>Parts of a sum of so many numbers: at least one.</summary>
    public static int Of(int length) => Math.Max(1, (length + Numbers - 1) / Numbers);

    /// <summary>Which of a sum's numbers a part has.</summary>
    public static Range RangeOf(int part, int length) => (part * Numbers)..Math.Min((part + 1) * Numbers, length);

    /// <summary>Takes a part.</summary>
    /// <returns>The whole, once the last part has come; else null.</returns>
    public PartialSum? Take(PartialSum part)
    {
        var range = RangeOf(Next, _sum.Length);
        if (part.Collector != collector || part.Part != Next || part.Parts != Of(_sum.Length) || part.Sum.Length != range.End.Value - range.Start.Value)
            return null;
        if (Next > 0 && !(part.Clients == _first!.Clients && part.Tally == _first.Tally && part.Blocks.SequenceEqual(_first.Blocks)))
        {
            (Next, _first) = (0, null); // the collector has begun a new sum under the same name, which it never does: from the start
            return null;
        }

        _first ??= part;
        part.Sum.CopyTo(_sum, range.Start.Value);
        Next++;
        return Next == part.Parts ? part with { Sum = _sum, Part = 0, Parts = 1 } : null;
    }
}
