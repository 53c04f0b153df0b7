namespace Chorus.Gpu.Runtime;

/// <summary>A device was asked for that this machine or this build of libtorch does not have; the message lists what there is.</summary>
public sealed class DeviceNotFoundException(string message) : Exception(message);
