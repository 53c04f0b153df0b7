using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Chorus.Gpu.Runtime;

/// <summary>Memory of a GPU that libtorch has freed and keeps for itself.</summary>
internal static class CachedMemory
{
    private const long MoreThanAnyDevice = 1L << 50;

    /// <summary>Gives it back to the device. TorchSharp has no call for that, but libtorch does it before it says that there is not enough: so it is asked for more than there is.</summary>
    public static void Release(Device device)
    {
        cuda.synchronize(device);
        try
        {
            empty(MoreThanAnyDevice, dtype: ScalarType.Byte, device: device).Dispose();
        }
        catch (ExternalException)
        {
            // As it must be.
        }
    }
}
