using Chorus.Actors.Settings;

namespace Chorus.Cli.Compare;

/// <summary>The GPUs of this machine that a comparison's runs are spread over, each run seeing one of them as its only one.</summary>
/// <remarks>By CUDA_VISIBLE_DEVICES, so that a run's settings say <c>cuda</c> on whatever GPU it was, and it can go on on another.</remarks>
internal sealed class GpuShares
{
    /// <summary>What CUDA reads.</summary>
    public const string Variable = "CUDA_VISIBLE_DEVICES";

    private readonly string[] _gpus;

    private GpuShares(string[] gpus) => _gpus = gpus;

    /// <param name="count">How many GPUs; 0 leaves all runs to see what this process sees.</param>
    /// <param name="device">policy.device of the runs.</param>
    /// <param name="visible">What <see cref="Variable"/> holds for this process, which is then shared out; null where it is not set.</param>
    /// <exception cref="SettingsException">There are not so many, or the runs do not use the GPU that they are given.</exception>
    public static GpuShares Of(int count, string device, string? visible)
    {
        if (count is < 0 or > 64)
            throw new SettingsException($"--gpus must be in [0, 64], got {count}");
        if (count > 0 && device is not ("auto" or "cuda"))
            throw new SettingsException($"--gpus gives each run a GPU of its own, which policy.device = {device} would not use: let it be cuda (--device cuda)");
        string[] gpus = visible is null ? [.. Enumerable.Range(0, count).Select(i => $"{i}")] : visible.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return count <= gpus.Length
            ? new GpuShares(gpus[..count])
            : throw new SettingsException($"--gpus {count}: {Variable} names {gpus.Length} ({visible})");
    }

    /// <summary>What one of the workers that run cells side by side has <see cref="Variable"/> set to; null leaves it.</summary>
    public string? OfWorker(int worker) => _gpus.Length == 0 ? null : _gpus[worker % _gpus.Length];
}
