using System.Buffers;

namespace Chorus.Gpu.Generation;

/// <summary>Draws one token of a distribution cut to its nucleus (top-p, arXiv:1904.09751), from a given uniform number.</summary>
/// <remarks>
/// The inverse cumulative sum runs over the nucleus in order of token id, in double: two tokens of nearly the same
/// probability then cannot change places with the last bit of a matrix product, as they could in sorted order.
/// </remarks>
public static class NucleusSampler
{
    /// <summary>The drawn token.</summary>
    /// <param name="probabilities">[V], not negative; need not sum to exactly 1.</param>
    /// <param name="topP">In (0, 1]; ties at the edge of the nucleus go to the lower id.</param>
    /// <param name="uniform">In [0, 1).</param>
    /// <exception cref="ArgumentException">No probability is positive, or one is not a number.</exception>
    public static int Draw(ReadOnlySpan<float> probabilities, double topP, double uniform)
    {
        double total = 0;
        foreach (float p in probabilities)
            total += p;
        if (!(total > 0) || !double.IsFinite(total))
            throw new ArgumentException($"probabilities must have a positive, finite sum, got {total}; the model's logits are not finite", nameof(probabilities));
        if (topP >= 1)
            return Invert(probabilities, uniform * total);

        // Tokens below (1 - topP) / V together hold less than 1 - topP, so none of them is in the nucleus: few are left to sort.
        double floor = (1 - topP) * total / probabilities.Length;
        var keys = ArrayPool<float>.Shared.Rent(probabilities.Length);
        var ids = ArrayPool<int>.Shared.Rent(probabilities.Length);
        int count = 0;
        for (int id = 0; id < probabilities.Length; id++)
        {
            if (probabilities[id] >= floor)
                (keys[count], ids[count++]) = (-probabilities[id], id);
        }
        var nucleus = ids.AsSpan(0, count);
        SortStably(keys.AsSpan(0, count), nucleus);
        double mass = 0;
        int size = 0;
        while (size < count && mass < topP * total)
            mass += probabilities[ids[size++]];
        nucleus = nucleus[..size];
        nucleus.Sort();
        double left = uniform * mass;
        int drawn = nucleus[^1];
        foreach (int id in nucleus)
        {
            left -= probabilities[id];
            if (left < 0)
            {
                drawn = id;
                break;
            }
        }
        ArrayPool<float>.Shared.Return(keys);
        ArrayPool<int>.Shared.Return(ids);
        return drawn;
    }

    /// <summary>The likeliest token, the lowest id among equals.</summary>
    public static int Largest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int id = 1; id < values.Length; id++)
        {
            if (values[id] > values[best])
                best = id;
        }
        return best;
    }

    private static int Invert(ReadOnlySpan<float> probabilities, double left)
    {
        int last = 0;
        for (int id = 0; id < probabilities.Length; id++)
        {
            if (probabilities[id] <= 0)
                continue;
            last = id;
            left -= probabilities[id];
            if (left < 0)
                return id;
        }
        return last; // the sum rounded to just below uniform * total
    }

    // Sorts by key; equal keys, which an unstable sort may swap, are put in order of id.
    private static void SortStably(Span<float> keys, Span<int> ids)
    {
        keys.Sort(ids);
        for (int start = 0; start < keys.Length;)
        {
            int end = start + 1;
            while (end < keys.Length && keys[end] == keys[start])
                end++;
            if (end - start > 1)
                ids[start..end].Sort();
            start = end;
        }
    }
}
