using Chorus.Gpu.Cuda;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>What is free on a device before work begins.</summary>
public static class DeviceMemory
{
    private const string Figures = "/proc/meminfo", Free = "MemAvailable:";

    /// <summary>Bytes: of a GPU as its driver says; of the host the least of what the system and a container's limit leave. Null where it cannot be asked.</summary>
    public static long? Available(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type != DeviceType.CPU)
        {
            if (!DriverApi.TryLoad())
                return null;
            CudaDevice.Of(Math.Max(0, device.index)).MakeCurrent();
            return DriverApi.cuMemGetInfo_v2(out nuint free, out _) == 0 ? (long)free : null;
        }
        long limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long system = OperatingSystem.IsLinux() && File.Exists(Figures)
            && File.ReadLines(Figures).FirstOrDefault(l => l.StartsWith(Free, StringComparison.Ordinal)) is { } line
            && long.TryParse(line.AsSpan(Free.Length).TrimEnd("kB ").Trim(), out long kilobytes) ? kilobytes * 1024 : long.MaxValue;
        return Math.Min(limit > 0 ? limit : long.MaxValue, system) is var least && least < long.MaxValue ? least : null;
    }
}
