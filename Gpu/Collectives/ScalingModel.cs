using System.Collections.Immutable;

namespace Chorus.Gpu.Collectives;

/// <summary>What joins the devices of a group.</summary>
/// <param name="DevicesPerNode">Joined by <paramref name="NodeRate"/>.</param>
/// <param name="NodeRate">Bytes a second that a device sends while it receives as many, within a node; of the data sheet.</param>
/// <param name="NetworkRate">The same between nodes, of each device's own port.</param>
/// <param name="Efficiency">The share of these that a ring of large messages gets.</param>
/// <param name="Latency">Seconds that each hop of a ring adds.</param>
/// <param name="Contention">Seconds that compute loses for each second that communication goes on beside it, by the memory traffic, power or multiprocessors that it takes.</param>
public sealed record GroupLinks(string Name, int DevicesPerNode, double NodeRate, double NetworkRate, double Efficiency, double Latency, double Contention = 0)
{
    /// <summary>Bytes a second of a ring over so many devices: each node's rings cross the network by all of its ports at once.</summary>
    public double Rate(int devices) => Efficiency * (devices <= DevicesPerNode ? NodeRate : Math.Min(NodeRate, DevicesPerNode * NetworkRate));
}

/// <summary>A training step of one device, from measurements: linear in the layers.</summary>
/// <param name="LayerSeconds">Forward and backward of one layer, one micro-batch.</param>
/// <param name="RestSeconds">Of embedding, head and loss.</param>
/// <param name="UpdateRate">Bytes a second at which the update reads and writes weights, sums and moments.</param>
/// <param name="BackwardShare">Of forward and backward, what is backward: 2 of 3 products.</param>
public sealed record MeasuredCompute(double LayerSeconds, double RestSeconds, double UpdateRate, double BackwardShare = 2.0 / 3)
{
    /// <summary>Forward and backward of one micro-batch.</summary>
    public double MicroBatch(int layers) => (layers * LayerSeconds) + RestSeconds;

    /// <summary>From whole steps of two depths.</summary>
    /// <param name="first">Layers and seconds of a step of one micro-batch, with its update of so many bytes.</param>
    public static MeasuredCompute From((int Layers, double Seconds, double UpdateBytes) first, (int Layers, double Seconds, double UpdateBytes) second, double updateRate)
    {
        if (first.Layers == second.Layers)
            throw new ArgumentException($"two depths are needed, got {first.Layers} twice");
        double a = first.Seconds - (first.UpdateBytes / updateRate), b = second.Seconds - (second.UpdateBytes / updateRate), layer = (b - a) / (second.Layers - first.Layers);
        return new MeasuredCompute(layer, a - (first.Layers * layer), updateRate);
    }
}

/// <summary>The shape of a step, as far as communication goes.</summary>
/// <param name="BucketBytes">Of sums and weights in each bucket, in the order that the backward pass has them.</param>
/// <param name="UpdateBytesPerByte">What the update moves for each byte of weights: 3 for SGD (weights twice, sums), 7 for AdamW.</param>
/// <param name="MicroBatches">Of a rank in a step; sums travel in the last one's backward pass.</param>
public sealed record StepShape(int Layers, ImmutableArray<double> BucketBytes, double UpdateBytesPerByte, int MicroBatches)
{
    public double Bytes => BucketBytes.Sum();
}

/// <summary>A predicted step.</summary>
/// <param name="Seconds">Of the whole.</param>
/// <param name="Exposed">Of which the device stands still for others.</param>
/// <param name="Communicating">For how long the links are busy, hidden or not.</param>
/// <param name="Efficiency">Of weak scaling: one device's step over this one.</param>
public sealed record PredictedStep(double Seconds, double Exposed, double Communicating, double Efficiency);

/// <summary>The time of a data-parallel step, from one device's compute and the links' rates (docs/scaling.md).</summary>
/// <remarks>
/// Two queues, as the trainer has them. The device: forward passes, of which the first waits for each bucket's weights; backward passes; each bucket's update, a slice of it, once its sum is there, first layers
/// first. The links: each bucket's reduce-scatter, from when the last backward pass has come to its end; then each bucket's all-gather, once it is updated. A ring over n devices takes (n - 1) / n of a bucket's
/// bytes over its rate, and a latency for each hop (Thakur, Rabenseifner, Gropp 2005). Compute is spread over the buckets by their bytes.
/// Communication that compute hides costs <see cref="GroupLinks.Contention"/> of itself. What is not modelled: stragglers, and Poisson batches that differ.
/// </remarks>
public static class ScalingModel
{
    private const int StepsToSettle = 3;

    /// <summary>One step of many, of so many devices, each with the same work.</summary>
    public static PredictedStep Predict(MeasuredCompute compute, StepShape step, GroupLinks links, int devices)
    {
        ArgumentNullException.ThrowIfNull(compute);
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(links);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        double micro = compute.MicroBatch(step.Layers), computed = micro * step.MicroBatches, updated = step.Bytes * step.UpdateBytesPerByte / compute.UpdateRate, alone = computed + updated;
        if (devices == 1)
            return new PredictedStep(alone, 0, 0, 1);
        double Ring(double bytes) => ((devices - 1.0) / devices * bytes / links.Rate(devices)) + ((devices - 1) * links.Latency);
        int buckets = step.BucketBytes.Length;
        double forward = micro * (1 - compute.BackwardShare), backward = micro * compute.BackwardShare;
        double device = 0, link = 0, before = 0;
        double[] weights = new double[buckets], sums = new double[buckets];
        for (int k = 0; k < StepsToSettle; k++)
        {
            before = device;
            for (int b = buckets - 1; b >= 0; b--)
                device = Math.Max(device, weights[b]) + (forward * step.BucketBytes[b] / step.Bytes);
            device += computed - micro;
            for (int b = 0; b < buckets; b++)
            {
                device += backward * step.BucketBytes[b] / step.Bytes;
                sums[b] = link = Math.Max(link, device) + Ring(step.BucketBytes[b]);
            }
            for (int b = buckets - 1; b >= 0; b--)
            {
                device = Math.Max(device, sums[b]) + (step.BucketBytes[b] * step.UpdateBytesPerByte / devices / compute.UpdateRate);
                weights[b] = link = Math.Max(link, device) + Ring(step.BucketBytes[b]);
            }
        }
        double exposed = device - before - computed - (updated / devices), communicating = 2 * step.BucketBytes.Sum(Ring);
        double seconds = device - before + (links.Contention * Math.Max(0, communicating - exposed));
        return new PredictedStep(seconds, exposed, communicating, alone / seconds);
    }
}
