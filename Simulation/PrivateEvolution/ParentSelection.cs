using System.Collections.Immutable;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.PrivateEvolution;

/// <summary>How a released histogram becomes the parents of the next generation.</summary>
public enum EvolutionSelection
{
    /// <summary>Drawn with replacement, in proportion to the bins (arXiv:2305.15560, Algorithm 1).</summary>
    Sample,

    /// <summary>The fullest bins, each once (arXiv:2403.01749).</summary>
    Rank,
}

/// <summary>Private Evolution's second step: post-processing of a released histogram.</summary>
public static class ParentSelection
{
    /// <summary>Chooses parents among the candidates.</summary>
    /// <param name="histogram">Released votes by candidate, finite.</param>
    /// <param name="parents">How many, at least 1; by rank at most as many as there are candidates.</param>
    /// <param name="how">By rank or by drawing.</param>
    /// <param name="threshold">Bins below it count as empty when parents are drawn: most of what is there is then noise.</param>
    /// <param name="random">Of the draw.</param>
    /// <returns>Candidate indices, ascending; drawn ones may repeat. Where no bin reaches the threshold, the fullest bins.</returns>
    /// <exception cref="ArgumentException">A number is out of range or a bin is not finite.</exception>
    public static ImmutableArray<int> Select(ReadOnlySpan<double> histogram, int parents, EvolutionSelection how, double threshold, IRandomSource random)
    {
        if (parents < 1 || parents > histogram.Length)
            throw new ArgumentOutOfRangeException(nameof(parents), $"parents must be in [1, {histogram.Length}], the number of candidates, got {parents}");
        for (int i = 0; i < histogram.Length; i++)
        {
            if (!double.IsFinite(histogram[i]))
                throw new ArgumentException($"bin {i} must be finite, got {histogram[i]}");
        }

        double[] bins = [.. histogram];
        return how == EvolutionSelection.Sample && Array.Exists(bins, b => b >= threshold && b > 0)
            ? Draw(bins, parents, threshold, random)
            : [.. Enumerable.Range(0, bins.Length).OrderByDescending(i => bins[i]).ThenBy(i => i).Take(parents).Order()];
    }

    private static ImmutableArray<int> Draw(double[] bins, int parents, double threshold, IRandomSource random)
    {
        var totals = new double[bins.Length];
        double total = 0;
        int last = 0;
        for (int i = 0; i < bins.Length; i++)
        {
            if (bins[i] >= threshold && bins[i] > 0)
                (total, last) = (total + bins[i], i);
            totals[i] = total;
        }

        var bits = new RandomBits(random);
        var drawn = new int[parents];
        for (int p = 0; p < parents; p++)
        {
            // 53 bits of a uniform number in [0, 1). The bin is the first whose running total lies above.
            double at = (bits.NextUInt64() >> 11) * (1.0 / (1L << 53)) * total;
            int low = 0, high = last;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (totals[middle] > at)
                    high = middle;
                else
                    low = middle + 1;
            }

            drawn[p] = low;
        }

        Array.Sort(drawn);
        return [.. drawn];
    }
}
