namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>How a loss is read off a dominating pair.</summary>
internal enum Reading
{
    /// <summary>ln(p / q) under P.</summary>
    Forward,

    /// <summary>ln(q / p) under Q: the neighbours have changed places.</summary>
    Reversed,

    /// <summary>
    /// As Forward where the loss is positive, as Reversed where it is negative: the larger of both hockey-stick
    /// divergences, which is that of no pair of data sets but bounds them all.
    /// </summary>
    Symmetric,
}

/// <summary>One kind of release, as one of two neighbours sees it, and how many.</summary>
internal sealed record LossPart(DominatingPair Pair, Reading Reading, int Count)
{
    /// <summary>The loss's steepest slope there: on the right, or everywhere where it is odd.</summary>
    public double Slope(double reach) => Pair.Loss(Pair.Reach + reach) - Pair.Loss(Pair.Reach + reach - 1);

    /// <summary>Where one such loss lies, x being within so many deviations of the farthest components.</summary>
    public (double From, double To) Range(double reach)
    {
        double low = Pair.Loss(-Pair.Reach - reach), high = Pair.Loss(Pair.Reach + reach);
        return Reading switch
        {
            Reading.Forward => (low, high),
            Reading.Reversed => (-high, -low),
            _ => (-high, high),
        };
    }
}

/// <summary>Brings a history to the privacy losses that must be composed.</summary>
internal static class WorstCase
{
    // With less noise than this a draw hides nobody, and the densities' components lie too far apart to integrate over.
    private const double LeastAmplifiedNoise = 0.02;

    /// <summary>True where the release is charged as if the records drawn were known: an upper bound.</summary>
    public static bool IsUnamplified(PrivacyEvent e) =>
        e.NoiseMultiplier < LeastAmplifiedNoise && e.Sampling is (FixedSizeSampling or PoissonSampling { Rate: < 1 });

    /// <summary>One list for each order of the neighbours: the history costs what the worse of them costs.</summary>
    /// <remarks>
    /// A record is there or is not there in all releases alike, so one order holds for the whole history. Releases
    /// without sampling compose to a single Gaussian exactly (mu^2 adds up), whatever their noise.
    /// </remarks>
    public static IReadOnlyList<IReadOnlyList<LossPart>> Of(IEnumerable<PrivacyEvent> events, Adjacency adjacency)
    {
        double distance = adjacency == Adjacency.ReplaceOne ? 2 : 1;
        double square = 0;
        var sampled = new List<(DominatingPair Pair, bool FixedSize, int Count)>();
        foreach (PrivacyEvent e in events)
        {
            switch (e.Sampling)
            {
                case FullParticipation:
                case PoissonSampling { Rate: 1 }:
                case PoissonSampling when IsUnamplified(e):
                    square += e.Count * Math.Pow(distance / e.NoiseMultiplier, 2);
                    break;
                case PoissonSampling poisson when adjacency == Adjacency.AddOrRemoveOne:
                    sampled.Add((new SampledGaussianPair(poisson.Rate, 1 / e.NoiseMultiplier), false, e.Count));
                    break;
                case PoissonSampling poisson:
                    sampled.Add((new ReplacedGaussianPair(poisson.Rate, 1 / e.NoiseMultiplier), false, e.Count));
                    break;
                case FixedSizeSampling when IsUnamplified(e):
                    square += e.Count * Math.Pow(2 / e.NoiseMultiplier, 2);
                    break;
                case FixedSizeSampling fixedSize:
                    // Drawn in place of another: one leaves and one comes, at most twice the sensitivity apart.
                    sampled.Add((new SampledGaussianPair(fixedSize.Rate, 2 / e.NoiseMultiplier), true, e.Count));
                    break;
                default:
                    throw new NotSupportedException($"no accounting is known for {e.Sampling.GetType().Name}");
            }
        }

        LossPart[] gaussian = square > 0 ? [new LossPart(new SampledGaussianPair(1, Math.Sqrt(square)), Reading.Forward, 1)] : [];
        if (adjacency == Adjacency.AddOrRemoveOne)
        {
            IReadOnlyList<LossPart> remove = [.. gaussian, .. sampled.Select(s => new LossPart(s.Pair, Reading.Forward, s.Count))];
            IReadOnlyList<LossPart> add = [.. gaussian, .. sampled.Select(s => new LossPart(s.Pair, Reading.Reversed, s.Count))];
            return sampled.Count > 0 ? [remove, add] : [remove];
        }

        return [[.. gaussian, .. sampled.Select(s => new LossPart(s.Pair, s.FixedSize ? Reading.Symmetric : Reading.Forward, s.Count))]];
    }
}
