using System.Security.Cryptography;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Tests.Privacy;

public class SeededRandomSourceTests
{
    [Fact]
    public void Given_the_documented_recipe_When_followed_with_the_framework_Then_the_same_bytes()
    {
        byte[] key = SHA256.HashData([.. "chorus seeded random 1"u8, 0, 0x15, 0xCD, 0x5B, 7, 0, 0, 0, 0, .. "noise/3"u8]);
        using Aes aes = Aes.Create();
        aes.Key = key;
        byte[] expected = [.. aes.EncryptEcb(new byte[16], PaddingMode.None), .. aes.EncryptEcb([1, .. new byte[15]], PaddingMode.None)];
        var bytes = new byte[32];
        new SeededRandomSource(123456789, "noise/3").Fill(bytes);
        Assert.Equal(expected, bytes);
    }

    [Fact]
    public void Given_cuts_of_any_size_When_filled_Then_one_stream()
    {
        var whole = new byte[10_000];
        new SeededRandomSource(9, "x").Fill(whole);
        var pieces = new byte[10_000];
        var source = new SeededRandomSource(9, "x");
        for (int at = 0, size = 1; at < pieces.Length; at += size, size = Math.Min(pieces.Length - at, (size * 3 % 611) + 1))
            source.Fill(pieces.AsSpan(at, size));
        Assert.Equal(whole, pieces);
    }

    [Fact]
    public void Given_other_seeds_or_purposes_When_filled_Then_other_streams()
    {
        static string First(ulong seed, string purpose)
        {
            var bytes = new byte[16];
            new SeededRandomSource(seed, purpose).Fill(bytes);
            return Convert.ToHexString(bytes);
        }

        string[] streams = [First(1, "a"), First(2, "a"), First(1, "b"), First(1, "ab"), First(1, ""), First(ulong.MaxValue, "a")];
        Assert.Equal(streams.Length, streams.Distinct().Count());
    }

    [Fact]
    public void Given_a_bound_When_drawn_below_it_Then_uniform_and_distinct_choices_are_distinct()
    {
        var bits = new RandomBits(new SeededRandomSource(4, "bits"));
        var counts = new int[6];
        for (int i = 0; i < 60_000; i++)
            counts[bits.Below(6)]++;
        Assert.All(counts, c => Assert.InRange(c, 9_500, 10_500));   // deviation 91
        Assert.Equal(0UL, bits.Below(1));
        Assert.InRange(bits.Below(ulong.MaxValue), 0UL, ulong.MaxValue - 1);
        Assert.Equal(Enumerable.Range(0, 300), bits.Distinct(300, 300).Order());
    }
}
