using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>What the ranks of a group do together: sums and copies of tensors, of which every rank has one of the same length and type.</summary>
/// <remarks>
/// Steps: every rank makes one, for the same epoch of the group; every rank then calls the same members in the same order, with
/// tensors of equal length and type. A call returns at once; <see cref="ICollectiveWork.Wait"/> puts what comes after behind it.
/// A tensor is contiguous, lives until then, and is not touched meanwhile. Sums are made in an order that timing does not change.
/// When a rank dies or <see cref="Abort"/> is called all that is under way ends, on every rank, with <see cref="CollectiveBrokenException"/>;
/// tensors then hold anything, and the group needs new collectives. <see cref="Complete"/> is what tells that all is well so far.
/// </remarks>
public interface ICollective : IDisposable
{
    /// <summary>Which of the ranks this is, from 0.</summary>
    int Rank { get; }

    /// <summary>How many ranks there are.</summary>
    int Count { get; }

    /// <summary>Every rank's tensor becomes the sum of all.</summary>
    ICollectiveWork AllReduce(Tensor values);

    /// <summary>Slice r of the sum of all tensors goes to slice r of rank r's own; what the other slices then hold is not defined.</summary>
    /// <param name="values">As many elements as can be cut into <see cref="Count"/> equal slices.</param>
    ICollectiveWork ReduceScatter(Tensor values);

    /// <summary>Slice r of rank r's tensor goes to slice r of everybody's.</summary>
    /// <param name="values">As many elements as can be cut into <see cref="Count"/> equal slices.</param>
    ICollectiveWork AllGather(Tensor values);

    /// <summary>Rank <paramref name="root"/>'s tensor goes to everybody's.</summary>
    ICollectiveWork Broadcast(Tensor values, int root);

    /// <summary>Waits until everything called so far is done, on the host too.</summary>
    /// <exception cref="CollectiveBrokenException">It cannot be: a rank is gone, or the group was ended.</exception>
    void Complete();

    /// <summary>Ends the group for this rank, and for the others as they notice; from any thread.</summary>
    /// <param name="reason">For the exception's message.</param>
    void Abort(string reason);

    /// <summary>For how long, since this was last asked, the device stood still in <see cref="ICollectiveWork.Wait"/>; call it when the device has done its work.</summary>
    TimeSpan TakeExposed();
}

/// <summary>One call under way.</summary>
public interface ICollectiveWork
{
    /// <summary>What the calling thread gives to the device from now on comes after this call's result is there. On a GPU the host goes on at once.</summary>
    /// <exception cref="CollectiveBrokenException">There will be no result.</exception>
    void Wait();
}

/// <summary>A group of ranks is no longer whole. What was under way has no result; the group may be formed anew with who is left.</summary>
public sealed class CollectiveBrokenException(string message, Exception? inner = null) : Exception(message, inner);

internal static class CollectiveChecks
{
    /// <summary>The elements of a slice.</summary>
    public static long SliceOf(this ICollective collective, Tensor values)
    {
        Check(values);
        return values.numel() % collective.Count == 0 ? values.numel() / collective.Count
            : throw new ArgumentException($"the tensor must be cut into {collective.Count} equal slices, got {values.numel()} elements");
    }

    public static void Check(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (!values.is_contiguous())
            throw new ArgumentException($"a collective needs a contiguous tensor, got [{string.Join(", ", values.shape)}] with strides [{string.Join(", ", values.stride())}]");
    }
}
