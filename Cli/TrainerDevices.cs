using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Cli;

/// <summary>The devices that a process trains on, from an option.</summary>
internal static class TrainerDevices
{
    /// <summary>Names separated by commas; auto is every GPU that is here, or the CPU.</summary>
    /// <exception cref="DeviceNotFoundException">One is not here.</exception>
    /// <exception cref="SettingsException">A GPU is named twice.</exception>
    public static IReadOnlyList<string> Read(string list)
    {
        var names = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (names.Length == 0)
            throw new SettingsException($"--devices names at least one device, got \"{list}\"");
        var devices = names.Select(TorchDevices.Parse).ToArray();
        var twice = devices.Where(d => d.type == DeviceType.CUDA).GroupBy(d => d.index).FirstOrDefault(g => g.Count() > 1);
        return twice is null ? names : throw new SettingsException($"--devices {list}: cuda:{twice.Key} is named twice; a GPU is one rank's");
    }
}
