using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.FedAvg;

/// <summary>
/// Noise that is correlated over rounds, so that it partly cancels in what a training adds up: y_t = sum over k of c_k x_(t-k) + z_t
/// is released, with c_k = binomial(2k, k) / 4^k for k below the number of bands, and x is made of it by solving backwards.
/// </summary>
/// <remarks>
/// The matrix mechanism of DP-FTRL (arXiv:2103.00039; matrix factorisations arXiv:2202.08312, banded ones arXiv:2306.08153) with the
/// first bands of the square root of the prefix-sum matrix, whose coefficients these are (arXiv:2405.13763). What each round adds is
/// x_t = sum of clients' vectors of norm at most 1. A client that takes part once in any so many rounds in a row as there are bands
/// moves, with each participation, rows of y that no other participation of its moves: by norm |c| &lt;= 1 after scaling. So p
/// participations cost p Gaussian releases of noise multiplier sigma (docs/privacy.md).
/// Exactness: c_k 4^(B-1) are whole numbers, so y lies on a grid 4^(B-1) times finer than the votes', and the noise is drawn on
/// that grid as discrete Gaussian of parameter sigma |c|: nothing is rounded anywhere.
/// </remarks>
public sealed class BandedNoise
{
    /// <summary>With eight bands the grid has 38 bits after the point, and a sum of 2^20 clients still fits 64 bits with its noise.</summary>
    public const int MostBands = 8;

    private readonly long[] _coefficients;

    /// <param name="bands">Rounds over which noise is correlated, in [1, 8]; 1 is independent noise.</param>
    /// <exception cref="ArgumentOutOfRangeException">bands is out of range.</exception>
    public BandedNoise(int bands)
    {
        if (bands is < 1 or > MostBands)
            throw new ArgumentOutOfRangeException(nameof(bands), $"bands must be in [1, {MostBands}], got {bands}");
        _coefficients = new long[bands];
        long binomial = 1;
        for (int k = 0; k < bands; k++)
        {
            // binomial(2k, k) 4^(B-1-k)
            _coefficients[k] = binomial << (2 * (bands - 1 - k));
            binomial = binomial * 2 * ((2 * k) + 1) / (k + 1);
        }
    }

    /// <summary>B.</summary>
    public int Bands => _coefficients.Length;

    /// <summary>Bits after the point of what is released, beyond those of a vote.</summary>
    public int ExtraBits => 2 * (Bands - 1);

    /// <summary>|c|: what one participation of norm 1 moves the released rows by, in L2.</summary>
    public double ColumnNorm => Math.Sqrt(_coefficients.Sum(c => Math.Pow(Math.ScaleB(c, -ExtraBits), 2)));

    /// <summary>This round's row before noise: sum over k of c_k x_(t-k), in units of the finer grid.</summary>
    /// <param name="sums">x_t first, then x_(t-1) and so on, as many as there are, at most B; in units of a vote's grid.</param>
    /// <exception cref="OverflowException">A number would pass 64 bits.</exception>
    public long[] Row(IReadOnlyList<long[]> sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        var row = new long[sums[0].Length];
        for (int k = 0; k < Math.Min(Bands, sums.Count); k++)
        {
            for (int i = 0; i < row.Length; i++)
                row[i] = checked(row[i] + (_coefficients[k] * sums[k][i]));
        }

        return row;
    }

    /// <summary>What <see cref="Row"/> was made of: x_t from its row and the sums before it. Exact.</summary>
    /// <param name="row">In units of the finer grid.</param>
    /// <param name="earlier">x_(t-1), x_(t-2) and so on, at most B - 1 of them.</param>
    /// <exception cref="ArgumentException">The row was made of other sums.</exception>
    public long[] SumOf(ReadOnlySpan<long> row, IReadOnlyList<long[]> earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        var sum = row.ToArray();
        for (int i = 0; i < sum.Length; i++)
        {
            for (int k = 1; k < Math.Min(Bands, earlier.Count + 1); k++)
                sum[i] = checked(sum[i] - (_coefficients[k] * earlier[k - 1][i]));
            if ((sum[i] & ((1L << ExtraBits) - 1)) != 0)
                throw new ArgumentException($"number {i} of the row is not made of whole votes: its noise or the sums before it are of another run");
            sum[i] >>= ExtraBits;
        }

        return sum;
    }

    /// <summary>Adds the noise of one round to its row.</summary>
    /// <param name="row">In units of the finer grid; += here.</param>
    /// <param name="noiseMultiplier">Standard deviation over sensitivity, where one participation has sensitivity 1 after scaling by |c|.</param>
    /// <param name="fractionBits">Bits after the point of a vote.</param>
    /// <param name="random">Where the noise comes from.</param>
    public void AddNoise(Span<long> row, double noiseMultiplier, int fractionBits, IRandomSource random) =>
        new DiscreteGaussian(Math.ScaleB(noiseMultiplier * ColumnNorm, fractionBits + ExtraBits), random).AddTo(row);

    /// <summary>The noised sum of a round, from its released row and the noised sums before it: post-processing of releases.</summary>
    /// <param name="released">y_t in units of 1.</param>
    /// <param name="earlier">What this gave for rounds t-1, t-2 and so on, at most B - 1 of them.</param>
    public double[] Solve(ReadOnlySpan<double> released, IReadOnlyList<double[]> earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        var sum = released.ToArray();
        for (int k = 1; k < Math.Min(Bands, earlier.Count + 1); k++)
        {
            double c = Math.ScaleB(_coefficients[k], -ExtraBits);
            for (int i = 0; i < sum.Length; i++)
                sum[i] -= c * earlier[k - 1][i];
        }

        return sum;
    }
}
