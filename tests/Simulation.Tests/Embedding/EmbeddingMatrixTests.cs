using System.Security.Cryptography;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Tests.Embedding;

public class EmbeddingMatrixTests
{
    [Fact]
    public void Given_a_matrix_When_written_Then_the_documented_bytes_and_their_hash()
    {
        var matrix = new EmbeddingMatrix(1, 2, [1f, -2f]);
        byte[] expected = [.. "CHEM"u8, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0];
        Assert.Equal(expected, matrix.ToBytes());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(expected)), matrix.Sha256);
    }

    [Fact]
    public void Given_bytes_When_read_Then_the_same_bits_NaN_included()
    {
        var matrix = new EmbeddingMatrix(2, 3, [1, float.NaN, -0f, float.NegativeInfinity, float.Epsilon, 6]);
        EmbeddingMatrix back = EmbeddingMatrix.FromBytes(matrix.ToBytes());
        Assert.Equal(matrix.ToBytes(), back.ToBytes());
        Assert.Equal(matrix.Sha256, back.Sha256);
        Assert.Equal([float.NegativeInfinity, float.Epsilon, 6], back.Row(1).ToArray());
        Assert.Equal(0, EmbeddingMatrix.FromBytes(new EmbeddingMatrix(0, 5, []).ToBytes()).Rows);
    }

    [Fact]
    public void Given_spoilt_bytes_When_read_Then_refused()
    {
        byte[] good = new EmbeddingMatrix(2, 2, [1, 2, 3, 4]).ToBytes();
        foreach (int at in (int[])[0, 4, 8, 11, 12, 15])
        {
            byte[] bad = [.. good];
            bad[at] ^= 0x85;
            Assert.Throws<InvalidDataException>(() => EmbeddingMatrix.FromBytes(bad));
        }

        Assert.Throws<InvalidDataException>(() => EmbeddingMatrix.FromBytes(good.AsSpan(0, good.Length - 1)));
        Assert.Throws<InvalidDataException>(() => EmbeddingMatrix.FromBytes([]));
    }

    [Fact]
    public void Given_an_array_changed_later_When_read_Then_the_matrix_has_not_changed()
    {
        float[] values = [1, 2];
        var matrix = new EmbeddingMatrix(1, 2, values);
        values[0] = 9;
        Assert.Equal(1, matrix.Row(0)[0]);
        Assert.Throws<ArgumentException>(() => new EmbeddingMatrix(2, 2, [1, 2, 3]));
        Assert.Throws<ArgumentException>(() => new EmbeddingMatrix(int.MaxValue, int.MaxValue, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EmbeddingMatrix(-1, 2, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EmbeddingMatrix(0, 0, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix.Row(1).ToArray());
    }

    [Fact]
    public void Given_texts_When_encoded_in_parallel_Then_as_one_by_one()
    {
        string[] texts = [.. Enumerable.Range(0, 333).Select(i => $"text {i} of the senate on item {i * i}")];
        HashedNgramEncoder encoder = HashedNgramEncoder.Fit(texts, 48);
        EmbeddingMatrix all = EmbeddingMatrix.Encode(encoder, texts);
        Assert.Equal(333, all.Rows);
        var one = new float[48];
        for (int i = 0; i < texts.Length; i++)
        {
            encoder.Encode([texts[i]], one);
            Assert.Equal(one, all.Row(i).ToArray());
        }

        Assert.Equal(0, EmbeddingMatrix.Encode(encoder, []).Rows);
    }
}
