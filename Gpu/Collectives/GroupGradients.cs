using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>Ordinary data parallelism for training without privacy: every rank has all weights, all gradients and the whole optimizer.</summary>
/// <remarks>For adapters and small models; <see cref="DpSgd.DpSgdTrainer"/> shards what is large.</remarks>
internal static class GroupGradients
{
    /// <summary>The part of a step's items that a rank takes; every item is on exactly one rank. A group of null is one rank.</summary>
    public static T[] Share<T>(this ICollective? group, T[] items) => group is null ? items
        : items[(int)((long)items.Length * group.Rank / group.Count)..(int)((long)items.Length * (group.Rank + 1) / group.Count)];

    /// <summary>Each parameter's gradient becomes the sum of all ranks'; one that is missing on a rank adds nothing.</summary>
    public static void Sum(this ICollective group, IReadOnlyList<Parameter> parameters)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var layout = BucketLayout.Of([.. parameters.Select(p => (p.numel(), p.dtype))], ranks: 1);
        var sums = layout.Buckets.Select(bucket =>
        {
            var flat = zeros([bucket.Length], bucket.Type, parameters[0].device);
            foreach (var place in bucket.Places)
            {
                if (parameters[place.Parameter].grad is { } gradient)
                    flat.narrow(0, place.Start, place.Elements).copy_(gradient.view(-1));
            }
            return (Bucket: bucket, Flat: flat, Work: group.AllReduce(flat));
        }).ToArray();
        foreach (var (bucket, flat, work) in sums)
        {
            work.Wait();
            foreach (var place in bucket.Places)
            {
                var parameter = parameters[place.Parameter];
                var sum = flat.narrow(0, place.Start, place.Elements).view(parameter.shape);
                if (parameter.grad is { } gradient)
                    gradient.copy_(sum);
                else
                    parameter.grad = sum.clone();
            }
        }
    }

    /// <summary>All ranks get rank 0's values.</summary>
    public static void Broadcast(this ICollective group, IEnumerable<Tensor> tensors)
    {
        using var noGrad = no_grad();
        foreach (var tensor in tensors)
        {
            using var values = tensor.detach();
            group.Broadcast(values, 0).Wait();
        }
    }

    /// <summary>Sums of a few figures over the ranks; reads the device.</summary>
    public static double[] Sum(this ICollective? group, Device device, params double[] figures)
    {
        if (group is null)
            return figures;
        using var scope = NewDisposeScope();
        var values = tensor(figures).to(device);
        group.AllReduce(values).Wait();
        return values.cpu().data<double>().ToArray();
    }
}
