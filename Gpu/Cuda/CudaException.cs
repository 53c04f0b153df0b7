namespace Chorus.Gpu.Cuda;

/// <summary>A call of the CUDA driver or of NVRTC that failed. The message names the call and what the library said.</summary>
public sealed class CudaException(string message) : Exception(message);
