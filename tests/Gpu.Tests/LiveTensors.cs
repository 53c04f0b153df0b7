using TorchSharp;

namespace Chorus.Gpu.Tests;

/// <summary>Counts live tensors, of all threads.</summary>
internal static class LiveTensors
{
    /// <summary>Without those that only wait for their finalizer: one that runs between two counts would make them differ.</summary>
    public static long Count()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return torch.Tensor.TotalCount;
    }
}
