using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using Chorus.Gpu.Collectives;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>What one rank of a group trains: its weights and sums lie in flat buckets, which are summed over the ranks while the backward pass goes on, and of which it updates one slice.</summary>
/// <remarks>
/// A step: <see cref="Arm"/> before the last micro-batch, <see cref="Reduce"/> after it, then bucket by bucket <see cref="AwaitSums"/>, the update of the
/// rank's <see cref="Pieces"/>, <see cref="ShareWeights"/>; and <see cref="Finish"/>. Whoever reads weights then calls <see cref="AwaitWeights()"/> first. Buckets are begun in their order, which is the same on all ranks
/// whatever order their gradients come in. (ZeRO's first stage, arXiv:1910.02054.)
/// </remarks>
internal sealed class ShardedParameters : IDisposable
{
    private readonly IReadOnlyList<ClippedParameter> _parameters;
    private readonly ICollective _collective;
    private readonly BucketLayout _layout;
    private readonly ScalarType? _sumType;
    private readonly FlatBucket[] _buckets;
    private readonly Dictionary<ClippedParameter, int> _bucketOf = [];
    private readonly HashSet<ClippedParameter> _final = [];
    private ExceptionDispatchInfo? _failure;
    private bool _armed;
    private int _next;

    /// <param name="parameters">In the order of the model. Their values move into the buckets; the parameters become views of them.</param>
    /// <param name="sumType">Of the sums; null is each parameter's own.</param>
    public ShardedParameters(IReadOnlyList<ClippedParameter> parameters, ICollective collective, ScalarType? sumType, long bucketBytes = BucketLayout.DefaultBucketBytes)
    {
        (_parameters, _collective, _sumType) = (parameters, collective, sumType);
        _layout = BucketLayout.Of([.. parameters.Select(p => (p.Parameter.numel(), p.Parameter.dtype))], collective.Count, bucketBytes);
        _buckets = [.. _layout.Buckets.Select((b, i) => Flattened(b, i))];
        Pieces = [.. _layout.Buckets.Select((_, i) => _layout.Owned(i, collective.Rank).Select(s => new ParameterPiece(parameters[s.Parameter], s.First, s.Count)).ToImmutableArray())];
    }

    /// <summary>What this rank updates, bucket by bucket.</summary>
    public ImmutableArray<ImmutableArray<ParameterPiece>> Pieces { get; }

    /// <summary>From now on a bucket is summed as soon as all its gradients are final.</summary>
    public void Arm() => _armed = true;

    /// <summary>These parameters get no more gradients in this step. Called in the backward pass, on whatever thread that is; it throws nothing into it.</summary>
    public void Final(IEnumerable<ClippedParameter> parameters)
    {
        if (!_armed || _failure is not null)
            return;
        try
        {
            _final.UnionWith(parameters);
            while (_next < _buckets.Length && _layout.Buckets[_next].Places.All(p => _final.Contains(_parameters[p.Parameter])))
                BeginSum(_next++);
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
    }

    /// <summary>Sums what has not been begun: all of it, where this rank had no example.</summary>
    /// <exception cref="CollectiveBrokenException">A rank is gone; also where that was seen in the backward pass.</exception>
    public void Reduce()
    {
        _failure?.Throw();
        while (_next < _buckets.Length)
            BeginSum(_next++);
    }

    /// <summary>What comes after reads the sums of a bucket's own slice, and changes its weights.</summary>
    public void AwaitSums(int bucket)
    {
        AwaitWeights(_buckets[bucket]); // a rank without an example has had no forward pass
        _buckets[bucket].Summing?.Wait();
    }

    /// <summary>The whole sums, in the parameters' gradients, once what comes after reads them: for who does not update by slices.</summary>
    public void ShareSums(int bucket)
    {
        AwaitSums(bucket);
        _collective.AllGather(_buckets[bucket].Sums!).Wait();
    }

    /// <summary>Gives the updated slice to all others, and gets theirs.</summary>
    public void ShareWeights(int bucket) => _buckets[bucket].Sharing = _collective.AllGather(_buckets[bucket].Weights);

    /// <summary>What comes after reads the weights of these parameters.</summary>
    public void AwaitWeights(IEnumerable<ClippedParameter> parameters)
    {
        foreach (var parameter in parameters)
            AwaitWeights(_buckets[_bucketOf[parameter]]);
    }

    /// <summary>What comes after reads all weights.</summary>
    public void AwaitWeights()
    {
        foreach (var bucket in _buckets)
            AwaitWeights(bucket);
    }

    /// <summary>The step's sums are done with: their memory is given back.</summary>
    public void Finish()
    {
        foreach (var bucket in _buckets)
        {
            bucket.Sums?.Dispose();
            (bucket.Sums, bucket.Summing) = (null, null);
        }
        _final.Clear();
        (_armed, _next) = (false, 0);
    }

    /// <summary>All ranks get rank 0's weights.</summary>
    public void BroadcastWeights()
    {
        foreach (var bucket in _buckets)
            _collective.Broadcast(bucket.Weights, 0).Wait();
    }

    /// <summary>A whole optimizer tensor from the slices that the ranks keep, bucket by bucket, in memory that is gone when the action returns. All ranks do this together.</summary>
    /// <param name="pieces">This rank's values of the pieces of a bucket; null where the optimizer keeps none.</param>
    /// <param name="take">Told each parameter and its values.</param>
    public void Gather(Func<int, IReadOnlyList<Tensor?>> pieces, Action<ClippedParameter, Tensor> take)
    {
        for (int b = 0; b < _buckets.Length; b++)
        {
            using var scope = NewDisposeScope();
            var whole = Scratch(b);
            foreach (var (own, segment) in pieces(b).Zip(_layout.Owned(b, _collective.Rank)))
                whole.narrow(0, segment.At, segment.Count).copy_(own!);
            _collective.AllGather(whole).Wait();
            foreach (var (parameter, values) in Views(b, whole))
                take(parameter, values);
        }
    }

    /// <summary>The other way: rank 0 has the whole, and each rank keeps its slices. All ranks do this together.</summary>
    /// <param name="give">On rank 0: fills in a parameter's values.</param>
    public void Scatter(Action<ClippedParameter, Tensor> give, Func<int, IReadOnlyList<Tensor?>> pieces)
    {
        for (int b = 0; b < _buckets.Length; b++)
        {
            using var scope = NewDisposeScope();
            var whole = Scratch(b);
            if (_collective.Rank == 0)
            {
                foreach (var (parameter, values) in Views(b, whole))
                    give(parameter, values);
            }
            _collective.Broadcast(whole, 0).Wait();
            foreach (var (own, segment) in pieces(b).Zip(_layout.Owned(b, _collective.Rank)))
                own!.copy_(whole.narrow(0, segment.At, segment.Count));
        }
    }

    public void Dispose()
    {
        foreach (var parameter in _parameters)
            parameter.Memory = null;
        foreach (var bucket in _buckets)
        {
            bucket.Weights.Dispose(); // the parameters hold on to the memory
            bucket.Sums?.Dispose();
        }
    }

    private static void AwaitWeights(FlatBucket bucket)
    {
        bucket.Sharing?.Wait();
        bucket.Sharing = null;
    }

    private FlatBucket Flattened(BucketLayout.Bucket bucket, int index)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var weights = zeros([bucket.Length], bucket.Type, _parameters[bucket.Places[0].Parameter].Parameter.device);
        var flat = new FlatBucket(weights.DetachFromDisposeScope());
        foreach (var place in bucket.Places)
        {
            var p = _parameters[place.Parameter];
            var view = weights.narrow(0, place.Start, place.Elements).view(p.Parameter.shape);
            view.copy_(p.Parameter);
            p.Parameter.set_(view);
            p.Memory = () => SumOf(flat, bucket, place, p);
            _bucketOf[p] = index;
        }
        return flat;
    }

    private Tensor SumOf(FlatBucket flat, BucketLayout.Bucket bucket, BucketLayout.Place place, ClippedParameter parameter)
    {
        using var scope = NewDisposeScope();
        flat.Sums ??= empty([bucket.Length], _sumType ?? bucket.Type, flat.Weights.device).DetachFromDisposeScope();
        return flat.Sums.narrow(0, place.Start, place.Elements).view(parameter.Parameter.shape).DetachFromDisposeScope();
    }

    private void BeginSum(int bucket)
    {
        using var scope = NewDisposeScope();
        foreach (var place in _layout.Buckets[bucket].Places)
        {
            if (_parameters[place.Parameter].Gradient is null)
                _parameters[place.Parameter].SetTarget();
        }
        _buckets[bucket].Summing = _collective.ReduceScatter(_buckets[bucket].Sums!);
    }

    private Tensor Scratch(int bucket) => zeros([_layout.Buckets[bucket].Length], _layout.Buckets[bucket].Type, _buckets[bucket].Weights.device);

    private IEnumerable<(ClippedParameter, Tensor)> Views(int bucket, Tensor whole) => _layout.Buckets[bucket].Places.Select(
        p => (_parameters[p.Parameter], whole.narrow(0, p.Start, p.Elements).view(_parameters[p.Parameter].Parameter.shape)));

    private sealed class FlatBucket(Tensor weights)
    {
        public Tensor Weights => weights;

        public Tensor? Sums { get; set; }

        public ICollectiveWork? Summing { get; set; }

        public ICollectiveWork? Sharing { get; set; }
    }
}
