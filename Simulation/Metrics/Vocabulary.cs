using System.Runtime.InteropServices;
using Chorus.Simulation.Data;

namespace Chorus.Simulation.Metrics;

/// <summary>Numbers words in the order in which they are first met; case does not tell words apart.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    public Vocabulary() => _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    public int Count => _ids.Count;

    /// <summary>The words in the order of their numbers.</summary>
    public IEnumerable<string> Words => _ids.OrderBy(w => w.Value).Select(w => w.Key);

    /// <summary>A text's words; those not met before get the next numbers.</summary>
    public int[] Learn(string text)
    {
        var ids = new List<int>();
        var reader = new WordReader(text.ToLowerInvariant());
        while (reader.Next(out ReadOnlySpan<char> word))
        {
            ref int id = ref CollectionsMarshal.GetValueRefOrAddDefault(_lookup, word, out bool known);
            if (!known)
                id = _ids.Count - 1;
            ids.Add(id);
        }

        return [.. ids];
    }

    /// <summary>Writes a text's words over a list; -1 for those not met before.</summary>
    public void Read(string text, List<int> ids)
    {
        ids.Clear();
        var reader = new WordReader(text.ToLowerInvariant());
        while (reader.Next(out ReadOnlySpan<char> word))
            ids.Add(_lookup.TryGetValue(word, out int id) ? id : -1);
    }
}
