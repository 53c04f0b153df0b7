// Shapes: B batch, T time
namespace Chorus.Gpu.Training;

/// <summary>Documents laid end to end in a fresh order each epoch, and cut into windows of T tokens and their successors.</summary>
/// <remarks>
/// Packing wastes no computation on padding. A document is told from the next by the end token that closes it; attention is not
/// masked there, as in GPT-2's training.
/// </remarks>
internal sealed class PackedWindows
{
    private readonly IReadOnlyList<int[]> _documents;
    private readonly int _sequenceLength;
    private readonly int _batchSize;
    private readonly ulong _seed;
    private readonly int _length;

    internal PackedWindows(IReadOnlyList<int[]> documents, int sequenceLength, int batchSize, ulong seed)
    {
        _documents = documents;
        _batchSize = batchSize;
        _seed = seed;
        _length = checked(documents.Sum(d => d.Length));
        if (_length < 2)
            throw new ArgumentException($"documents must hold 2 tokens or more in all, got {_length}");
        _sequenceLength = Math.Min(sequenceLength, _length - 1); // fewer tokens than one window: one shorter window
        Windows = (_length - 1 + _sequenceLength - 1) / _sequenceLength;
    }

    internal int Windows { get; }

    internal int StepsPerEpoch => (Windows + _batchSize - 1) / _batchSize;

    /// <summary>The batches of one epoch: ids [B, T + 1] row by row, of which the first T are inputs and the last T targets.</summary>
    internal IEnumerable<(long[] Ids, int Batch, int Time)> Epoch(int epoch)
    {
        var shuffle = new SeededShuffle(_seed, (ulong)epoch);
        var stream = new int[_length];
        var at = 0;
        foreach (var d in shuffle.Order(_documents.Count))
        {
            _documents[d].CopyTo(stream, at);
            at += _documents[d].Length;
        }
        foreach (var windows in shuffle.Order(Windows).Chunk(_batchSize))
        {
            var row = _sequenceLength + 1;
            var ids = new long[windows.Length * row];
            for (var b = 0; b < windows.Length; b++)
            {
                // The last window reaches back over its predecessor rather than leave a rest unseen.
                var start = Math.Min(windows[b] * _sequenceLength, _length - row);
                for (var t = 0; t < row; t++)
                    ids[b * row + t] = stream[start + t];
            }
            yield return (ids, windows.Length, _sequenceLength);
        }
    }
}
