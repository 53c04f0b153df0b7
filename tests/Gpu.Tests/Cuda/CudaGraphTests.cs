using Chorus.Gpu.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Cuda;

[Collection(TorchCollection.Name)]
public sealed class CudaGraphTests
{
    /// <summary>A thread's current device is the first until it is said otherwise, and torch's guards go back to it after each operation.</summary>
    [GpuFact(8, gpus: 2)]
    public void Given_a_device_that_is_not_the_threads_When_work_is_recorded_there_Then_it_is_repeated_there()
    {
        foreach (int index in new[] { 1, 0, 1 })
        {
            var device = new Device(DeviceType.CUDA, index);
            foreach (Action<Action> onStream in new Action<Action>[] { work => CudaGraph.OnOwnStream(device, work), work => CudaGraph.Between(device, work) })
            {
                float[] counted = [];
                var fresh = new Thread(() =>
                {
                    using var scope = NewDisposeScope();
                    var sums = zeros([3], device: device);
                    var one = ones([3], device: device);
                    using var graph = new CudaGraph();
                    onStream(() =>
                    {
                        graph.Record(() => sums.add_(one));
                        for (int i = 0; i < 4; i++)
                            graph.Replay();
                    });
                    counted = sums.cpu().data<float>().ToArray();
                });
                fresh.Start();
                fresh.Join();
                Assert.Equal([4f, 4f, 4f], counted);
            }
        }
    }
}
