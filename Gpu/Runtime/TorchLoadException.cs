namespace Chorus.Gpu.Runtime;

/// <summary>libtorch or TorchSharp's native library could not be loaded; the message says which file and how to mend it.</summary>
public sealed class TorchLoadException(string message, Exception? inner = null) : Exception(message, inner);
