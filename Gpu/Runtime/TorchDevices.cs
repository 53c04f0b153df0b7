using System.Globalization;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>From the name of a device in a run's settings to the device.</summary>
public static class TorchDevices
{
    /// <summary>Reads auto, cpu, cuda or cuda:N; auto is the first GPU, or the CPU where there is none.</summary>
    /// <exception cref="DeviceNotFoundException">The name is another one, or there is no such device here.</exception>
    public static torch.Device Parse(string name)
    {
        TorchRuntime.Prepare();
        return Parse(name, torch.cuda.is_available() ? torch.cuda.device_count() : 0);
    }

    internal static torch.Device Parse(string name, int gpus)
    {
        if (name == "cpu" || (name == "auto" && gpus == 0))
            return torch.CPU;
        if (name is "auto" or "cuda")
            return Gpu(name, 0, gpus);
        if (name.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(name.AsSpan("cuda:".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return Gpu(name, index, gpus);
        throw new DeviceNotFoundException($"device must be auto, cpu, cuda or cuda:N (N from 0), got \"{name}\"; here: {Present(gpus)}");
    }

    private static torch.Device Gpu(string name, int index, int gpus) => index < gpus
        ? new torch.Device(DeviceType.CUDA, index)
        : throw new DeviceNotFoundException(
            $"device {name} is not here; here: {Present(gpus)}."
            + (gpus > 0 ? "" : $" For a GPU, build with -p:TorchBackend=cuda, or set {NativeLibraries.FolderVariable} to the folder of libtorch_cuda.so; both need NVIDIA's driver."));

    private static string Present(int gpus) => gpus switch { 0 => "cpu", 1 => "cpu, cuda:0", _ => $"cpu, cuda:0 to cuda:{gpus - 1}" };
}
