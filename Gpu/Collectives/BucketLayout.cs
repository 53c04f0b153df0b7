using System.Collections.Immutable;
using Chorus.Gpu.Checkpoints;
using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>Where parameters lie when they are laid end to end in buckets, and which slice of each bucket is whose.</summary>
/// <remarks>
/// A bucket is what is summed in one call: parameters of one type, last ones first, since a backward pass has their gradients first. Every bucket is cut into one slice for each
/// rank, so that each rank owns, keeps the optimizer's state of, and updates 1/n of every bucket. Places and slices begin at multiples of <see cref="Alignment"/>.
/// </remarks>
public sealed class BucketLayout
{
    /// <summary>Elements. Sixteen blocks of four draws of noise, and 128 bytes in half precision.</summary>
    public const int Alignment = 64;

    /// <summary>Bytes of a bucket, unless a single parameter is larger: enough to use a link fully, small beside what a backward pass has still to do.</summary>
    public const long DefaultBucketBytes = 64L << 20;

    private BucketLayout(ImmutableArray<Bucket> buckets, int ranks) => (Buckets, Ranks) = (buckets, ranks);

    public ImmutableArray<Bucket> Buckets { get; }

    public int Ranks { get; }

    /// <param name="parameters">Elements and type of each, in the order of the model.</param>
    /// <param name="ranks">At least 1.</param>
    public static BucketLayout Of(IReadOnlyList<(long Elements, ScalarType Type)> parameters, int ranks, long bucketBytes = DefaultBucketBytes)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(bucketBytes, 1);
        var buckets = ImmutableArray.CreateBuilder<Bucket>();
        var places = ImmutableArray.CreateBuilder<Place>();
        long length = 0;
        for (int p = parameters.Count - 1; p >= 0; p--)
        {
            var (elements, type) = parameters[p];
            if (places.Count > 0 && (parameters[places[0].Parameter].Type != type || (length + elements) * SafeTensorType.Of(type, "a parameter").Bytes > bucketBytes))
                Close();
            places.Add(new Place(p, length, elements));
            length = RoundedUp(length + elements, Alignment);
        }
        Close();
        return new BucketLayout(buckets.ToImmutable(), ranks);

        void Close()
        {
            if (places.Count > 0)
                buckets.Add(new Bucket(parameters[places[0].Parameter].Type, places.ToImmutable(), RoundedUp(length, (long)ranks * Alignment)));
            places.Clear();
            length = 0;
        }
    }

    /// <summary>The pieces of parameters in a rank's slice of a bucket.</summary>
    public IEnumerable<Segment> Owned(int bucket, int rank)
    {
        var b = Buckets[bucket];
        long slice = b.Length / Ranks, begin = slice * rank, end = begin + slice;
        foreach (var place in b.Places)
        {
            long first = Math.Max(begin, place.Start), last = Math.Min(end, place.Start + place.Elements);
            if (first < last)
                yield return new Segment(place.Parameter, first - place.Start, last - first, first);
        }
    }

    private static long RoundedUp(long value, long unit) => (value + unit - 1) / unit * unit;

    /// <summary>A whole parameter in its bucket.</summary>
    /// <param name="Start">Its first element there.</param>
    public sealed record Place(int Parameter, long Start, long Elements);

    /// <param name="Length">Elements, a multiple of ranks times <see cref="Alignment"/>; between places there may be some that are nobody's.</param>
    public sealed record Bucket(ScalarType Type, ImmutableArray<Place> Places, long Length);

    /// <summary>A piece of a parameter.</summary>
    /// <param name="First">Its first element in the parameter; a multiple of <see cref="Alignment"/>.</param>
    /// <param name="At">The same element in the bucket.</param>
    public readonly record struct Segment(int Parameter, long First, long Count, long At);
}
