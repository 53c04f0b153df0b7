using Chorus.Actors.Serialization;
using CsCheck;
using Google.Protobuf;

namespace Chorus.Actors.Tests.Serialization;

public sealed class PackedNumbersTests
{
    [Fact]
    public void Given_any_bytes_and_width_When_packed_and_unpacked_Then_they_are_the_same() =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[1, 9]).Sample((bytes, width) =>
            Assert.Equal(bytes, PackedNumbers.Unpack(PackedNumbers.Pack(bytes, width), width)));

    [Fact]
    public void Given_any_integers_When_packed_and_unpacked_Then_they_are_the_same() =>
        Gen.OneOf(Gen.Long, Gen.Long[-9, 9]).Array[0, 500].Sample(numbers => Assert.Equal(numbers, PackedNumbers.UnpackLongs(PackedNumbers.Pack(numbers))), iter: 2000);

    [Fact]
    public void Given_no_numbers_When_packed_and_unpacked_Then_there_are_none()
    {
        Assert.Empty(PackedNumbers.UnpackLongs(PackedNumbers.Pack([])));
        Assert.Empty(PackedNumbers.Unpack(PackedNumbers.Pack([], 4), 4));
    }

    [Fact]
    public void Given_more_than_the_first_room_When_unpacked_Then_all_of_it_comes()
    {
        var zeros = new byte[3_000_001];
        zeros[^1] = 7;
        Assert.Equal(zeros, PackedNumbers.Unpack(PackedNumbers.Pack(zeros, 4), 4));
    }

    [Fact]
    public void Given_a_length_that_is_not_that_of_the_bytes_When_unpacked_Then_refused()
    {
        var packed = PackedNumbers.Pack([1, 2, 3, 4, 5, 6, 7, 8], 4);
        foreach (var length in (int[])[-1, 0, 7, 9, 100_000, PackedNumbers.MostBytes + 1, int.MaxValue])
            Assert.Throws<InvalidDataException>(() => PackedNumbers.Unpack(new() { Brotli = packed.Brotli, Length = length }, 4));
        Assert.Throws<InvalidDataException>(() => PackedNumbers.Unpack(new() { Brotli = ByteString.CopyFrom([.. packed.Brotli, 0]), Length = 8 }, 4));
        Assert.Throws<InvalidDataException>(() => PackedNumbers.Unpack(new() { Brotli = packed.Brotli.Memory.Length > 2 ? ByteString.CopyFrom(packed.Brotli.Span[..^2]) : ByteString.Empty, Length = 8 }, 4));
        Assert.Throws<InvalidDataException>(() => PackedNumbers.UnpackLongs(PackedNumbers.Pack([1, 2, 3], 1)));
        Assert.Throws<InvalidDataException>(() => PackedNumbers.Unpack(null, 4));
    }

    // 16 MiB of zeros are a few bytes of Brotli: what they claim is believed only as far as it comes out.
    [Fact]
    public void Given_few_bytes_that_claim_to_be_many_When_unpacked_Then_little_memory_is_taken()
    {
        var few = PackedNumbers.Pack([1, 2, 3, 4], 4).Brotli;
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => PackedNumbers.Unpack(new() { Brotli = few, Length = PackedNumbers.MostBytes }, 4));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 18);
        Assert.Throws<ArgumentException>(() => PackedNumbers.Pack(new byte[PackedNumbers.MostBytes + 1], 4));
    }
}
