using Chorus.Gpu.Collectives;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Tests.Cuda;
using Chorus.Gpu.Tests.DpSgd;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Collectives;

/// <summary>A fact that needs NCCL and so many GPUs; skipped, with the reason, where they are not.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NcclFactAttribute : GpuFactAttribute
{
    public NcclFactAttribute(int gpus = 1)
        : base(computeCapability: 0, gpus)
        => Skip ??= NcclCollective.Available ? null : "needs NCCL (libnccl.so.2)";
}

/// <summary>The same as the host's collective, on GPUs.</summary>
[Collection(TorchCollection.Name)]
public sealed class NcclCollectiveTests
{
    private static Device[] All => [.. Enumerable.Range(0, cuda.device_count()).Select(i => new Device(DeviceType.CUDA, i))];

    [NcclFact]
    public void Given_a_tensor_on_each_gpu_When_summed_scattered_gathered_and_sent_Then_all_have_what_is_theirs()
    {
        int n = All.Length;
        LocalGroup.Run(All, CollectiveKind.Nccl, (group, device) =>
        {
            using var scope = NewDisposeScope();
            Assert.Equal((n, device.index), (group.Count, group.Rank));
            foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Int64 })
            {
                var values = full([n * 1000L], group.Rank + 1).to_type(type).to(device);
                group.AllReduce(values).Wait();
                AssertAll(values, n * (n + 1) / 2);
                var parts = full([n * 1000L], group.Rank + 1).to_type(type).to(device);
                group.ReduceScatter(parts).Wait();
                AssertAll(parts.narrow(0, group.Rank * 1000L, 1000), n * (n + 1) / 2);
                parts.fill_(-1);
                parts.narrow(0, group.Rank * 1000L, 1000).fill_(group.Rank);
                group.AllGather(parts).Wait();
                for (int r = 0; r < n; r++)
                    AssertAll(parts.narrow(0, r * 1000L, 1000), r);
                group.Broadcast(values.fill_(group.Rank), n - 1).Wait();
                AssertAll(values, n - 1);
            }
            group.Complete();
            Assert.True(group.TakeExposed() >= TimeSpan.Zero);
            return 0;
        });
    }

    [NcclFact]
    public void Given_work_on_the_device_When_a_collective_follows_Then_it_sees_the_works_result_and_the_host_has_not_waited()
    {
        LocalGroup.Run(All, CollectiveKind.Nccl, (group, device) =>
        {
            using var scope = NewDisposeScope();
            var values = zeros([1 << 20], ScalarType.Float32, device);
            var works = new List<ICollectiveWork>();
            for (int i = 0; i < 50; i++)
            {
                values.add_(1);
                group.AllReduce(values).Wait();
                values.div_(group.Count);
            }
            AssertAll(values, 50);
            return 0;
        });
    }

    [NcclFact]
    public void Given_one_rank_over_nccl_When_trained_Then_the_weights_are_those_without_a_collective()
    {
        Dictionary<string, Tensor> Train(bool collective) => LocalGroup.Run([new Device(DeviceType.CUDA, 0)], CollectiveKind.Nccl, (group, device) =>
        {
            using var model = NamedShapes.Create("tiny", 2, device, ScalarType.Float32, 1);
            int[][] examples = [.. Enumerable.Range(0, 20).Select(i => Enumerable.Range(0, 17).Select(t => (i * 7 + t * 3) % 256).ToArray())];
            var settings = new DpSgdSettings { NoiseMultiplier = 1, LogicalBatch = 8, PhysicalBatch = 4, SequenceLength = 16, Optimizer = DpOptimizer.AdamW, LearningRate = 1e-3, Seed = 4 };
            using var trainer = new DpSgdTrainer(model, null, examples, settings, group: collective ? group : null);
            for (int i = 0; i < 5; i++)
                trainer.Step();
            group.Complete();
            return model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().cpu().to_type(ScalarType.Float64).DetachFromDisposeScope());
        })[0];
        TinyDpModels.AssertClose(Train(false), Train(true), 1e-6);
    }

    [NcclFact(2)]
    public void Given_a_peer_that_does_not_come_When_the_group_is_aborted_Then_the_device_goes_on_and_the_reason_is_told()
    {
        var devices = All[..2];
        using var aborted = new ManualResetEventSlim();
        var e = Assert.Throws<CollectiveBrokenException>(() => LocalGroup.Run(devices, CollectiveKind.Nccl, (group, device) =>
        {
            using var scope = NewDisposeScope();
            var values = zeros([1000], ScalarType.Float32, device);
            group.AllReduce(values).Wait();
            group.Complete();
            if (group.Rank == 1)
            {
                aborted.Wait(TimeSpan.FromSeconds(30));
                return 0;
            }
            var work = group.AllReduce(values);
            work.Wait();
            group.Abort("node b is gone");
            try
            {
                group.Complete();
            }
            finally
            {
                aborted.Set();
            }
            return 0;
        }));
        Assert.Equal("node b is gone", e.Message);
    }

    private static void AssertAll(Tensor values, double wanted) => Assert.True(values.to_type(ScalarType.Float64).eq(wanted).all().cpu().item<bool>(), $"not all are {wanted}");
}
