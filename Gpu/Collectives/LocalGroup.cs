using Chorus.Gpu.Cuda;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>Which collective a group has.</summary>
public enum CollectiveKind
{
    /// <summary>NCCL where every rank has a GPU of its own and the library is there; the host's elsewhere.</summary>
    Auto,

    /// <summary><see cref="HostCollective"/>.</summary>
    Host,

    /// <summary><see cref="NcclCollective"/>.</summary>
    Nccl,
}

/// <summary>Ranks in this process, one thread and one device each, that do the same work together.</summary>
public static class LocalGroup
{
    /// <summary>Runs the work on all ranks at once and waits for all.</summary>
    /// <param name="devices">One for each rank; the same one may serve several, over the host's collective.</param>
    /// <param name="work">Called on each rank's own thread, with its collective and device.</param>
    /// <param name="threads">Threads of an operator on each rank's thread; 0 divides the processors among the ranks.</param>
    /// <returns>What the ranks returned, by rank.</returns>
    /// <exception cref="Exception">What a rank threw: the first that is not merely told of another's failure.</exception>
    public static T[] Run<T>(IReadOnlyList<Device> devices, CollectiveKind kind, Func<ICollective, Device, T> work, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices.Count, 1);
        bool nccl = Resolve(kind, devices) == CollectiveKind.Nccl;
        var id = nccl ? NcclCollective.NewId() : [];
        var links = nccl ? null : SharedMemoryLinks.Create(devices.Count);
        int share = threads > 0 ? threads : Math.Max(1, Environment.ProcessorCount / devices.Count);
        var ranks = devices.Select((device, rank) => Task.Factory.StartNew(
            () =>
            {
                TorchRuntime.Prepare();
                set_num_threads(share);
                using ICollective collective = nccl ? new NcclCollective(id, rank, devices.Count, device) : new HostCollective(links![rank]);
                try
                {
                    return work(collective, device);
                }
                catch (Exception e)
                {
                    collective.Abort($"rank {rank}: {e.Message}");
                    throw;
                }
            },
            TaskCreationOptions.LongRunning)).ToArray();
        try
        {
            Task.WaitAll(ranks);
        }
        catch (AggregateException e)
        {
            var failures = e.Flatten().InnerExceptions;
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures.FirstOrDefault(f => f is not CollectiveBrokenException) ?? failures[0]);
        }
        return [.. ranks.Select(r => r.Result)];
    }

    /// <summary>The kind that these devices have.</summary>
    /// <exception cref="CudaException">NCCL is asked for and cannot be had; the message says why.</exception>
    public static CollectiveKind Resolve(CollectiveKind kind, IReadOnlyList<Device> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        bool own = devices.All(d => d.type == DeviceType.CUDA) && devices.Select(d => d.index).Distinct().Count() == devices.Count;
        if (kind == CollectiveKind.Nccl && !(own && NcclCollective.Available))
            throw new CudaException(own ? "NCCL (libnccl.so.2) is not on this machine, or not in the loader's path (LD_LIBRARY_PATH)" : "NCCL needs a GPU of its own for each rank");
        return kind == CollectiveKind.Host || !own || !NcclCollective.Available ? CollectiveKind.Host : CollectiveKind.Nccl;
    }
}
