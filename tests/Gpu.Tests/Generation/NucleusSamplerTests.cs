using Chorus.Gpu.Generation;
using CsCheck;

namespace Chorus.Gpu.Tests.Generation;

public sealed class NucleusSamplerTests
{
    private static readonly Gen<float[]> Distributions = Gen.Float[0, 1].Select(x => x * x * x * x).Array[1, 60]
        .Select(Gen.Bool, (values, ties) => ties ? Array.ConvertAll(values, v => MathF.Ceiling(v * 4)) : values)
        .Where(values => values.Sum() > 1e-3f);

    [Fact]
    public void Given_a_distribution_When_drawn_along_the_unit_interval_Then_tokens_of_the_sorted_nucleus_at_their_shares() =>
        Gen.Select(Distributions, Gen.Double[0.05, 1]).Sample((values, topP) =>
        {
            // The plain definition: sort, cut where the sum reaches topP, renormalise.
            double total = values.Sum(v => (double)v), mass = 0;
            var nucleus = new HashSet<int>();
            foreach (int id in Enumerable.Range(0, values.Length).OrderByDescending(i => values[i]).ThenBy(i => i))
            {
                if (mass >= topP * total - 1e-9 * total && nucleus.Count > 0 && topP < 1)
                    break;
                mass += values[id];
                if (values[id] > 0)
                    nucleus.Add(id);
            }
            const int Draws = 4000;
            var counts = new int[values.Length];
            for (int i = 0; i < Draws; i++)
                counts[NucleusSampler.Draw(values, topP, (i + 0.5) / Draws)]++;
            // Evenly spaced numbers hit an interval of length s within one of s * Draws times; at the cut the sums round either way.
            bool near = Enumerable.Range(0, values.Length).All(id => Math.Abs(counts[id] - (nucleus.Contains(id) ? values[id] / mass * Draws : 0)) <= 1.01);
            return near || AtTheCut(values, topP, total);
        }, iter: 300);

    [Fact]
    public void Given_a_uniform_number_near_one_When_drawn_Then_a_token_that_can_be()
    {
        Assert.Equal(1, NucleusSampler.Draw([0.25f, 0.75f, 0f, 0f], 1, Math.BitDecrement(1)));
        Assert.Equal(0, NucleusSampler.Draw([0.75f, 0.25f], 0.5, Math.BitDecrement(1)));
        Assert.Equal(2, NucleusSampler.Draw([0f, 0f, 1e-30f], 0.9, 0));
        Assert.Equal(1, NucleusSampler.Largest([1f, 3f, 3f, 2f]));
    }

    [Fact]
    public void Given_no_distribution_When_drawn_Then_a_message()
    {
        Assert.Contains("positive, finite sum", Assert.Throws<ArgumentException>(() => NucleusSampler.Draw([0f, 0f], 1, 0.5)).Message);
        Assert.Throws<ArgumentException>(() => NucleusSampler.Draw([float.NaN, 1f], 0.9, 0.5));
    }

    [Fact]
    public void Given_keys_When_numbers_are_drawn_Then_uniform_and_each_key_its_own()
    {
        var numbers = (from prompt in Enumerable.Range(0, 20)
                       from sample in Enumerable.Range(0, 10)
                       from step in Enumerable.Range(0, 64)
                       select KeyedUniform.At(9, prompt, sample, step)).ToArray();
        Assert.Equal(numbers.Length, numbers.Distinct().Count());
        Assert.All(numbers, u => Assert.InRange(u, 0, Math.BitDecrement(1)));
        // 12,800 uniform numbers: the mean's standard deviation is 0.0026, a tenth's count's is 34.
        Assert.Equal(0.5, numbers.Average(), 0.0128);
        foreach (var tenth in numbers.GroupBy(u => (int)(u * 10)))
            Assert.InRange(tenth.Count(), 1280 - 170, 1280 + 170);
        Assert.Equal(KeyedUniform.At(9, 1, 2, 3), KeyedUniform.At(9, 1, 2, 3));
        Assert.NotEqual(KeyedUniform.At(9, 1, 2, 3), KeyedUniform.At(10, 1, 2, 3));
        Assert.Equal(Enumerable.Range(0, 50), KeyedUniform.Permutation(50, 4).Order());
    }

    // Whether some sum of the sorted probabilities is so near topP that rounding decides.
    private static bool AtTheCut(float[] values, double topP, double total)
    {
        double mass = 0;
        foreach (float value in values.OrderDescending())
        {
            mass += value;
            if (Math.Abs(mass - topP * total) < 1e-6 * total)
                return true;
        }
        return false;
    }
}
