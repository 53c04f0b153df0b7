using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;

namespace Chorus.Gpu.Collectives;

/// <summary>NCCL, as far as data parallelism needs it.</summary>
/// <remarks>https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/api.html: each function under its own name. 0 is success, 7 in progress.</remarks>
internal static unsafe partial class NcclApi
{
    internal const int InProgress = 7, Sum = 0;

    private const string Library = "nccl";

    /// <summary>Whether the machine has it.</summary>
    internal static bool Available => SystemLibraries.TryLoad(Library, out _);

    [LibraryImport(Library)]
    internal static partial int ncclGetVersion(out int version);

    [LibraryImport(Library)]
    internal static partial int ncclGetUniqueId(out UniqueId id);

    [LibraryImport(Library)]
    internal static partial int ncclCommInitRankConfig(out nint comm, int ranks, UniqueId id, int rank, in Config config);

    [LibraryImport(Library)]
    internal static partial int ncclCommGetAsyncError(nint comm, out int status);

    [LibraryImport(Library)]
    internal static partial int ncclCommFinalize(nint comm);

    [LibraryImport(Library)]
    internal static partial int ncclCommDestroy(nint comm);

    [LibraryImport(Library)]
    internal static partial int ncclCommAbort(nint comm);

    [LibraryImport(Library)]
    internal static partial int ncclAllReduce(nint send, nint receive, nuint count, int type, int operation, nint comm, nint stream);

    [LibraryImport(Library)]
    internal static partial int ncclReduceScatter(nint send, nint receive, nuint countOfSlice, int type, int operation, nint comm, nint stream);

    [LibraryImport(Library)]
    internal static partial int ncclAllGather(nint send, nint receive, nuint countOfSlice, int type, nint comm, nint stream);

    [LibraryImport(Library)]
    internal static partial int ncclBroadcast(nint send, nint receive, nuint count, int type, int root, nint comm, nint stream);

    [LibraryImport(Library)]
    private static partial nint ncclGetErrorString(int status);

    [LibraryImport(Library)]
    private static partial nint ncclGetLastError(nint comm);

    /// <summary>What NCCL says of a status, with its last words on the communicator (0 for none).</summary>
    internal static string Describe(int status, nint comm)
    {
        var said = Marshal.PtrToStringUTF8(ncclGetErrorString(status)) ?? $"status {status}";
        return Marshal.PtrToStringUTF8(ncclGetLastError(comm)) is { Length: > 0 } last ? $"{said} ({last.Trim()})" : said;
    }

    /// <exception cref="CudaException">The status is neither success nor in progress.</exception>
    internal static void Check(int status, string call, nint comm = 0)
    {
        if (status is not (0 or InProgress))
            throw new CudaException($"{call} failed: {Describe(status, comm)}");
    }

    /// <summary>ncclUniqueId: 128 bytes that one rank makes and every rank is given.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct UniqueId
    {
        internal const int Bytes = 128;

        private fixed ulong _words[Bytes / sizeof(ulong)];

        internal static UniqueId From(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length != Bytes)
                throw new ArgumentException($"an id of NCCL has {Bytes} bytes, got {bytes.Length}");
            return MemoryMarshal.Read<UniqueId>(bytes);
        }

        internal readonly byte[] ToArray()
        {
            var bytes = new byte[Bytes];
            MemoryMarshal.Write(bytes, in this);
            return bytes;
        }
    }

    /// <summary>ncclConfig_t as it was in 2.18; later versions fill in what they added.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Config
    {
        private const int Unset = int.MinValue;

        private readonly nuint _size = (nuint)sizeof(Config);
        private readonly uint _magic = 0xcafebeef;
        private readonly uint _version = 21800;
        private readonly int _blocking;
        private readonly int _clusterSize = Unset;
        private readonly int _fewestBlocks = Unset;
        private readonly int _mostBlocks = Unset;
        private readonly nint _net = 0;
        private readonly int _splitShare = Unset;
        private readonly int _padding = 0;

        public Config(bool blocking) => _blocking = blocking ? 1 : 0;
    }
}
