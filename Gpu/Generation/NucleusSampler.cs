using System.Buffers;

namespace Chorus.Gpu.Generation;

/// <summary>Draws one token of a distribution cut to its nucleus (top-p, arXiv:1904.09751), from a given uniform number.</summary>
/// <remarks>
/// The inverse cumulative sum runs over the nucleus in order of token id, in double: two tokens of nearly the same
/// probability then cannot change places with the last bit of a matrix product, as they could in sorted order.
/// The nucleus is found without sorting the vocabulary: probabilities are summed by size class, and only the class in which
/// the sum passes topP is sorted.
/// </remarks>
public static class NucleusSampler
{
    // A class is a float's exponent and the first 5 bits of its fraction: 32 classes an octave, 32 octaves below the
    // largest probability; all that is smaller shares the last class.
    private const int DroppedBits = 23 - 5;
    private const int Classes = 32 * 32;

    /// <summary>The drawn token.</summary>
    /// <param name="probabilities">[V], not negative; need not sum to exactly 1.</param>
    /// <param name="topP">In (0, 1]; ties at the edge of the nucleus go to the lower id.</param>
    /// <param name="uniform">In [0, 1).</param>
    /// <exception cref="ArgumentException">No probability is positive, or one is not a number.</exception>
    public static int Draw(ReadOnlySpan<float> probabilities, double topP, double uniform)
    {
        double total = Sum(probabilities);
        if (!(total > 0) || !double.IsFinite(total))
            throw new ArgumentException($"probabilities must have a positive, finite sum, got {total}; the model's logits are not finite", nameof(probabilities));
        if (topP >= 1)
            return Invert(probabilities, uniform * total);

        var values = ArrayPool<float>.Shared.Rent(probabilities.Length);
        var ids = ArrayPool<int>.Shared.Rent(probabilities.Length);
        // Tokens below (1 - topP) / V together hold less than 1 - topP, so none of them is in the nucleus.
        float floor = (float)((1 - topP) * total / probabilities.Length * (1 - 1e-6));
        int count = 0;
        for (int id = 0; id < probabilities.Length; id++)
        {
            if (probabilities[id] >= floor && probabilities[id] > 0)
                (values[count], ids[count++]) = (probabilities[id], id);
        }
        var (smallest, last) = Edge(values.AsSpan(0, count), topP * total);
        int size = 0;
        for (int i = 0; i < count; i++)
        {
            if (values[i] > smallest || (values[i] == smallest && i <= last))
                (values[size], ids[size++]) = (values[i], ids[i]);
        }
        var nucleus = values.AsSpan(0, size);
        int drawn = ids[Invert(nucleus, uniform * Sum(nucleus))];
        ArrayPool<float>.Shared.Return(values);
        ArrayPool<int>.Shared.Return(ids);
        return drawn;
    }

    /// <summary>The drawn token where only the <paramref name="topK"/> likeliest may be; ties there go to the lower id too.</summary>
    /// <param name="topK">0, or as many as there are: all.</param>
    /// <inheritdoc cref="Draw(ReadOnlySpan{float}, double, double)"/>
    public static int Draw(ReadOnlySpan<float> probabilities, int topK, double topP, double uniform)
    {
        if (topK <= 0 || topK >= probabilities.Length)
            return Draw(probabilities, topP, uniform);
        var sorted = ArrayPool<float>.Shared.Rent(probabilities.Length);
        probabilities.CopyTo(sorted);
        Array.Sort(sorted, 0, probabilities.Length);
        float smallest = sorted[probabilities.Length - topK];
        int room = topK; // for those as likely as the last
        foreach (float p in probabilities)
            room -= p > smallest ? 1 : 0;
        for (int i = 0; i < probabilities.Length; i++)
            sorted[i] = probabilities[i] > smallest || (probabilities[i] == smallest && room-- > 0) ? probabilities[i] : 0;
        int drawn = Draw(sorted.AsSpan(0, probabilities.Length), topP, uniform);
        ArrayPool<float>.Shared.Return(sorted);
        return drawn;
    }

    /// <summary>The index of the largest value, the lowest among equals.</summary>
    public static int Largest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best])
                best = i;
        }
        return best;
    }

    // The least likely member of the nucleus: its probability, and the last index that belongs among those of that probability.
    private static (float Smallest, int Last) Edge(ReadOnlySpan<float> values, double target)
    {
        Span<double> massOfClass = stackalloc double[Classes];
        massOfClass.Clear();
        int top = Number(values[Largest(values)]);
        foreach (float p in values)
            massOfClass[Math.Min(top - Number(p), Classes - 1)] += p;
        double mass = 0;
        int edge = 0;
        while (edge < Classes - 1 && mass + massOfClass[edge] < target)
            mass += massOfClass[edge++];

        var members = new List<(float Probability, int Index)>();
        for (int i = 0; i < values.Length; i++)
        {
            if (Math.Min(top - Number(values[i]), Classes - 1) == edge)
                members.Add((values[i], i));
        }
        members.Sort((a, b) => a.Probability != b.Probability ? b.Probability.CompareTo(a.Probability) : a.Index.CompareTo(b.Index));
        foreach (var (probability, index) in members)
        {
            mass += probability;
            if (mass >= target)
                return (probability, index);
        }
        return (0, -1); // the sum by classes fell short of the target by rounding alone: all belong
    }

    private static int Number(float p) => BitConverter.SingleToInt32Bits(p) >> DroppedBits;

    // Four sums side by side: a single one would wait for itself at every addition.
    private static double Sum(ReadOnlySpan<float> values)
    {
        double a = 0, b = 0, c = 0, d = 0;
        int i = 0;
        for (; i + 4 <= values.Length; i += 4)
        {
            a += values[i];
            b += values[i + 1];
            c += values[i + 2];
            d += values[i + 3];
        }
        for (; i < values.Length; i++)
            a += values[i];
        return a + b + (c + d);
    }

    private static int Invert(ReadOnlySpan<float> probabilities, double left)
    {
        int i = 0;
        while (i < probabilities.Length && (left -= probabilities[i]) >= 0)
            i++;
        if (i < probabilities.Length)
            return i;
        // The sum rounded to just below uniform * total: the last token that can be drawn.
        do
            i--;
        while (probabilities[i] <= 0);
        return i;
    }
}
