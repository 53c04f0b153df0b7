using System.Runtime.InteropServices;
using TorchSharp;
using static Chorus.Gpu.Cuda.DriverApi;
using static TorchSharp.torch;

namespace Chorus.Gpu.Cuda;

/// <summary>Where tensors lie in a device's memory.</summary>
internal static unsafe partial class TensorMemory
{
    internal const int MapBytes = 128;

    private const int Columns = 64;   // 128 bytes of half precision: the width of the swizzle

    /// <summary>The address of the first element of a contiguous tensor on a GPU.</summary>
    internal static nint AddressOf(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CUDA || !tensor.is_contiguous())
            throw new ArgumentException($"a kernel needs a contiguous tensor on a GPU, got one on {tensor.device}{(tensor.is_contiguous() ? "" : ", not contiguous")}");
        return THSTensor_data(tensor.Handle);
    }

    /// <summary>Writes the map of a tensor [B, T, K] of bfloat16 or float16 for copies of [1, rows, 64].</summary>
    /// <exception cref="ArgumentException">The copy engine cannot read such a tensor.</exception>
    internal static void Describe(void* map, Tensor tensor, int rows)
    {
        if (tensor.dtype is not (ScalarType.BFloat16 or ScalarType.Float16) || tensor.dim() != 3 || tensor.shape[2] % 8 != 0)
            throw new ArgumentException($"bulk copies read bfloat16 or float16 [B, T, K] with K a multiple of 8, got {tensor.dtype} [{string.Join(", ", tensor.shape)}]");
        var address = AddressOf(tensor);
        var (samples, time, width) = ((ulong)tensor.shape[0], (ulong)tensor.shape[1], (ulong)tensor.shape[2]);
        var sizes = stackalloc ulong[] { width, time, samples };
        var strides = stackalloc ulong[] { 2 * width, 2 * width * time };
        var box = stackalloc uint[] { Columns, (uint)rows, 1 };
        var steps = stackalloc uint[] { 1, 1, 1 };
        Check(
            cuTensorMapEncodeTiled(map, tensor.dtype == ScalarType.BFloat16 ? TensorMapBFloat16 : TensorMapFloat16, 3, (void*)address, sizes, strides, box, steps, 0, TensorMapSwizzle128, TensorMapL2Promotion256, 0),
            nameof(cuTensorMapEncodeTiled));
    }

    // TorchSharp's own binding of Tensor::data_ptr, which it does not make public for every type.
    [LibraryImport("LibTorchSharp")]
    private static partial nint THSTensor_data(nint tensor);
}
