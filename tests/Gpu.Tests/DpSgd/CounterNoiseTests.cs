using Chorus.Gpu.DpSgd;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Draws of the noise: the generator against published vectors, and the distribution.</summary>
public sealed class CounterNoiseTests
{
    [Theory] // the known answers of Random123 for philox4x32-10
    [InlineData(0u, 0u, 0u, 0u, 0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0ul, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0x299f31d0a4093822ul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Given_a_counter_and_a_key_When_mixed_Then_the_words_are_the_published_ones(uint c0, uint c1, uint c2, uint c3, ulong key, uint w0, uint w1, uint w2, uint w3) =>
        Assert.Equal((w0, w1, w2, w3), CounterNoise.Philox(c0, c1, c2, c3, key));

    [Fact]
    public void Given_ten_million_draws_When_measured_Then_mean_variance_and_tails_are_a_normals()
    {
        const int n = 10_000_000;
        var draws = Draw(n, 7, 0, 0);
        double mean = draws.Average(z => (double)z), variance = draws.Average(z => (double)z * z) - mean * mean, fourth = draws.Average(z => Math.Pow(z, 4));
        Assert.InRange(mean, -5 / Math.Sqrt(n), 5 / Math.Sqrt(n));
        Assert.InRange(variance, 1 - 0.003, 1 + 0.003); // standard error 0.00045
        Assert.InRange(fourth, 3 - 0.03, 3 + 0.03); // standard error 0.0031
        // Beyond 1: 0.317311 of all. Beyond 4.8, where the second block refines u: 15.9 expected.
        Assert.InRange(draws.Count(z => Math.Abs(z) > 1) / (double)n, 0.317311 - 0.001, 0.317311 + 0.001);
        Assert.InRange(draws.Count(z => Math.Abs(z) > 4.8), 3, 35);
        Assert.True(draws.All(float.IsFinite));
        for (int place = 0; place < 4; place++) // of a block
        {
            double square = 0;
            for (int i = place; i < n; i += 4)
                square += (double)draws[i] * draws[i];
            Assert.InRange(square / (n / 4), 1 - 0.005, 1 + 0.005);
        }
    }

    [Fact]
    public void Given_other_steps_parameters_keys_or_elements_When_compared_Then_draws_are_independent()
    {
        const int n = 1_000_000;
        var draws = Draw(n + 4, 7, 3, 5);
        foreach (var other in new[] { Draw(n, 7, 4, 5), Draw(n, 7, 3, 6), Draw(n, 8, 3, 5), Draw(n, 7, 5, 3), draws[1..], draws[2..], draws[4..] })
        {
            double product = 0, squares = 0;
            for (int i = 0; i < n; i++)
            {
                product += (double)draws[i] * other[i];
                squares += ((double)draws[i] * draws[i] - 1) * ((double)other[i] * other[i] - 1);
            }
            Assert.InRange(product / n, -5 / Math.Sqrt(n), 5 / Math.Sqrt(n));
            Assert.InRange(squares / n, -10 / Math.Sqrt(n), 10 / Math.Sqrt(n)); // standard error 2 / sqrt(n)
        }
    }

    [Fact]
    public void Given_any_chunks_When_drawn_Then_the_bits_are_the_same()
    {
        var whole = Draw(1003, 9, 1, 2);
        foreach (int chunk in new[] { 1, 3, 4, 7, 64, 1000 })
        {
            var parts = new float[whole.Length];
            for (int at = 0; at < parts.Length; at += chunk)
                CounterNoise.Fill(parts.AsSpan(at, Math.Min(chunk, parts.Length - at)), new NoiseDraw(9, 1, 2, 1), at);
            Assert.Equal(whole, parts);
        }
        var far = new float[8];
        CounterNoise.Fill(far, new NoiseDraw(9, 1, 2, 1), (1L << 34) + 1); // beyond the counter's first word
        Assert.NotEqual(whole[1..9], far);
    }

    private static float[] Draw(int count, ulong key, uint step, uint parameter)
    {
        var draws = new float[count];
        CounterNoise.Fill(draws, new NoiseDraw(key, step, parameter, 1), 0);
        return draws;
    }
}
