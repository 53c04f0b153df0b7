namespace Chorus.Simulation.Metrics;

/// <summary>The suffix automaton of a set of sequences: a state for each class of substrings that end at the same places.</summary>
/// <remarks>
/// Built online (Blumer et al. 1985), starting over at the root for each sequence: at most two states and three edges a
/// symbol, in linear time but for the copying of edges. A state's longest string is <see cref="LengthOf"/> long; its
/// others are that one's suffixes down to one longer than the state of its <see cref="LinkOf"/> can hold.
/// </remarks>
internal sealed class SuffixAutomaton
{
    public const int Root = 0;

    private const int None = -1;

    private readonly List<int> _length = [0];
    private readonly List<int> _link = [None];
    private readonly List<int> _firstEdge = [None];   // the symbols of a state's edges, as a list, for copying
    private readonly List<(int Symbol, int Next)> _edges = [];
    private readonly Dictionary<long, int> _target = [];

    public int States => _length.Count;

    public int LengthOf(int state) => _length[state];

    /// <summary>The state of the longest suffix that ends at more places; -1 for the root.</summary>
    public int LinkOf(int state) => _link[state];

    /// <summary>The state that a symbol leads to; -1 where none.</summary>
    public int Next(int state, int symbol) => _target.GetValueOrDefault(Key(state, symbol), None);

    /// <param name="sequence">Symbols of at least 0.</param>
    public void Add(ReadOnlySpan<int> sequence)
    {
        int last = Root;
        foreach (int symbol in sequence)
            last = Extend(last, symbol);
    }

    private int Extend(int last, int symbol)
    {
        int there = Next(last, symbol);
        if (there != None)   // an earlier sequence begins alike
            return _length[there] == _length[last] + 1 ? there : Split(last, symbol, there);
        int state = NewState(_length[last] + 1);
        int at = last;
        for (; at != None && Next(at, symbol) == None; at = _link[at])
            SetEdge(at, symbol, state);
        if (at == None)
            _link[state] = Root;
        else if (Next(at, symbol) is var next && _length[next] == _length[at] + 1)
            _link[state] = next;
        else
            _link[state] = Split(at, symbol, next);
        return state;
    }

    /// <summary>Gives the shorter strings of a state, those that go through <paramref name="at"/>, a state of their own.</summary>
    private int Split(int at, int symbol, int state)
    {
        int copy = NewState(_length[at] + 1);
        for (int edge = _firstEdge[state]; edge != None; edge = _edges[edge].Next)
            SetEdge(copy, _edges[edge].Symbol, Next(state, _edges[edge].Symbol));
        _link[copy] = _link[state];
        _link[state] = copy;
        for (; at != None && Next(at, symbol) == state; at = _link[at])
            _target[Key(at, symbol)] = copy;
        return copy;
    }

    private int NewState(int length)
    {
        _length.Add(length);
        _link.Add(None);
        _firstEdge.Add(None);
        return _length.Count - 1;
    }

    private void SetEdge(int state, int symbol, int target)
    {
        _target[Key(state, symbol)] = target;
        _edges.Add((symbol, _firstEdge[state]));
        _firstEdge[state] = _edges.Count - 1;
    }

    private static long Key(int state, int symbol) => ((long)state << 32) | (uint)symbol;
}
