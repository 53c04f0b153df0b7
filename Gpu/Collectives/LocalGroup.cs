using System.Runtime.ExceptionServices;
using Chorus.Gpu.Cuda;
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
    /// <summary>Runs the work on all ranks at once and waits for all: rank 0 on the calling thread, which is its device's, the others on threads of their own.</summary>
    /// <param name="devices">One for each rank; the same one may serve several, over the host's collective.</param>
    /// <param name="work">Given each rank's collective and device.</param>
    /// <returns>What the ranks returned, by rank.</returns>
    /// <exception cref="Exception">What a rank threw: the first that is not merely told of another's failure.</exception>
    public static T[] Run<T>(IReadOnlyList<Device> devices, CollectiveKind kind, Func<ICollective, Device, T> work)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices.Count, 1);
        bool nccl = Resolve(kind, devices) == CollectiveKind.Nccl;
        var id = nccl ? NcclCollective.NewId() : [];
        var links = nccl ? null : SharedMemoryLinks.Create(devices.Count);
        int threads = get_num_threads();
        var results = new T[devices.Count];
        var failures = new ExceptionDispatchInfo?[devices.Count];
        var others = Enumerable.Range(1, devices.Count - 1).Select(rank => new Thread(() =>
        {
            set_num_threads(threads);
            Work(rank);
        })
        { Name = $"rank {rank}", IsBackground = true }).ToArray();
        foreach (var thread in others)
            thread.Start();
        Work(0);
        foreach (var thread in others)
            thread.Join();
        (failures.FirstOrDefault(f => f is not null && f.SourceException is not CollectiveBrokenException) ?? failures.FirstOrDefault(f => f is not null))?.Throw();
        return results;

        void Work(int rank)
        {
            ICollective? collective = null;
            try
            {
                collective = nccl ? new NcclCollective(id, rank, devices.Count, devices[rank]) : new HostCollective(links![rank]);
                results[rank] = work(collective, devices[rank]);
            }
            catch (Exception e)
            {
                failures[rank] = ExceptionDispatchInfo.Capture(e);
                collective?.Abort($"rank {rank}: {e.Message}");
            }
            finally
            {
                collective?.Dispose();
            }
        }
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
