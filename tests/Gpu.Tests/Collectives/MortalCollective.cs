using Chorus.Gpu.Collectives;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Collectives;

/// <summary>A rank that dies at its n-th call: it takes part in nothing from there on, as if its process had been killed.</summary>
/// <param name="dies">The call that is its last, counted from 0; it is not made.</param>
internal sealed class MortalCollective(ICollective inner, int dies) : ICollective
{
    private int _calls;

    /// <summary>Calls made so far.</summary>
    public int Calls => _calls;

    public int Rank => inner.Rank;

    public int Count => inner.Count;

    public ICollectiveWork AllReduce(Tensor values) => Alive().AllReduce(values);

    public ICollectiveWork ReduceScatter(Tensor values) => Alive().ReduceScatter(values);

    public ICollectiveWork AllGather(Tensor values) => Alive().AllGather(values);

    public ICollectiveWork Broadcast(Tensor values, int root) => Alive().Broadcast(values, root);

    public void Complete() => Alive().Complete();

    public void Abort(string reason) => inner.Abort(reason);

    public TimeSpan TakeExposed() => inner.TakeExposed();

    public void Dispose() => inner.Dispose();

    private ICollective Alive() => Interlocked.Increment(ref _calls) - 1 < dies ? inner : throw new DeathException();
}

internal sealed class DeathException : Exception;
