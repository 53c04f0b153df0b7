using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>The types of numbers.cuh.</summary>
internal static class NumberTypes
{
    internal const int VectorElements = 8;

    /// <summary>The type's code, -1 where kernels do not read it.</summary>
    internal static int Code(ScalarType type) => type switch
    {
        ScalarType.Float32 => 0,
        ScalarType.BFloat16 => 1,
        ScalarType.Float16 => 2,
        _ => -1,
    };

    /// <summary>Whether rows of so many elements can be read in vectors of eight.</summary>
    internal static bool Wide(Tensor tensor, long rowElements) => rowElements % VectorElements == 0 && TensorMemory.AddressOf(tensor) % 16 == 0;
}
