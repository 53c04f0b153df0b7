using System.Buffers.Binary;
using Chorus.Simulation.Aggregation;
using CsCheck;

namespace Chorus.Simulation.Tests.Aggregation;

public class ClientSetTests
{
    private static readonly Gen<(int Population, bool[] A, bool[] B)> Pairs =
        Gen.Int[0, 400].SelectMany(n => Gen.Select(Gen.Const(n), Sparse(n), Sparse(n)));

    [Fact]
    public void Given_any_sets_When_combined_Then_as_with_plain_sets()
    {
        Pairs.Sample(x =>
        {
            HashSet<int> a = Plain(x.A), b = Plain(x.B);
            ClientSet left = ClientSet.Of(x.A), right = ClientSet.Of(x.Population, b.OrderDescending());
            Assert.Equal(a.Count, left.Count);
            Assert.Equal(a.Order(), left.Members());
            Assert.All(Enumerable.Range(0, x.Population), i => Assert.Equal(a.Contains(i), left.Contains(i)));
            Assert.Equal(a.Overlaps(b), left.Overlaps(right));
            Assert.Equal(a.Intersect(b).Order(), left.Intersect(right).Members());
            Assert.Equal(a.Except(b).Order(), left.Except(right).Members());
            if (a.Overlaps(b))
                Assert.Throws<ArgumentException>(() => left.Union(right));
            else
                Assert.Equal(a.Union(b).Order(), left.Union(right).Members());
            ClientSet rest = right.Except(left);
            Assert.Equal(left.Union(rest), rest.Union(left));
            Assert.Equal(left.Union(rest).Sha256, rest.Union(left).Sha256);
        });
    }

    [Fact]
    public void Given_any_set_When_written_and_read_Then_the_same()
    {
        Pairs.Sample(x =>
        {
            ClientSet set = ClientSet.Of(x.A);
            ClientSet back = ClientSet.FromBytes(set.ToBytes());
            Assert.Equal(set, back);
            Assert.Equal(set.Sha256, back.Sha256);
        });
    }

    [Fact]
    public void Given_the_same_clients_of_another_population_When_hashed_Then_the_hash_differs()
    {
        Assert.NotEqual(ClientSet.Of(100, [1, 2]).Sha256, ClientSet.Of(101, [1, 2]).Sha256);
        Assert.NotEqual(ClientSet.Of(100, [1, 2]), ClientSet.Of(101, [1, 2]));
        Assert.Throws<ArgumentException>(() => ClientSet.Of(100, [1]).Union(ClientSet.Of(101, [2])));
    }

    [Fact]
    public void Given_a_block_of_a_million_When_written_Then_it_is_small()
    {
        ClientSet block = ClientSet.Range(1_000_000, 700_000, 1000);
        Assert.Equal(1000, block.Count);
        Assert.True(block.ToBytes().Length < 200);
        Assert.Equal(1_000_000, ClientSet.All(1_000_000).Count);
        Assert.Equal("1000 of 1000000 clients", block.ToString());
    }

    [Fact]
    public void Given_bytes_that_no_set_writes_When_read_Then_refused()
    {
        byte[] good = ClientSet.Of(70, [3, 69]).ToBytes();
        Refuse(good, b => b[0] = 0);
        Refuse(good, b => b[4] = 9);
        Refuse(good, b => b[12] = 3);                                          // count
        Refuse(good, b => BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(8), 69));   // client 69 past the population
        Refuse(good, b => BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(8), -1));
        Refuse(good, b => BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(16), 1));
        Refuse(good, b => BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(20), int.MaxValue));
        Refuse(good, b => (b[24], b[12]) = (0, 1));                            // empty first word: not canonical
        Assert.Throws<InvalidDataException>(() => ClientSet.FromBytes(good.AsSpan(0, 30)));
        Assert.Throws<InvalidDataException>(() => ClientSet.FromBytes([.. good, 0]));
        Assert.Throws<InvalidDataException>(() => ClientSet.FromBytes([]));
    }

    [Fact]
    public void Given_clients_out_of_range_or_twice_When_made_Then_refused()
    {
        Assert.Throws<ArgumentException>(() => ClientSet.Of(5, [5]));
        Assert.Throws<ArgumentException>(() => ClientSet.Of(5, [-1]));
        Assert.Throws<ArgumentException>(() => ClientSet.Of(5, [2, 2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClientSet.Range(5, 4, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClientSet.Empty(-1));
        Assert.False(ClientSet.All(5).Contains(5));
        Assert.False(ClientSet.All(5).Contains(-1));
    }

    private static void Refuse(byte[] good, Action<byte[]> spoil)
    {
        byte[] bytes = [.. good];
        spoil(bytes);
        Assert.Throws<InvalidDataException>(() => ClientSet.FromBytes(bytes));
    }

    private static Gen<bool[]> Sparse(int n) => Gen.Int[0, 20].SelectMany(one => Gen.Int[0, 20].Select(i => i < one / 4).Array[n]);

    private static HashSet<int> Plain(bool[] marked) => [.. Enumerable.Range(0, marked.Length).Where(i => marked[i])];
}
