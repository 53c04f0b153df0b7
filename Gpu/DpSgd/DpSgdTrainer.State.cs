using System.Globalization;
using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

public sealed partial class DpSgdTrainer
{
    private sealed record Progress(int Step, long NotFinite, string Secret, double[] Thresholds, double[] Quantiles);

    /// <summary>Writes all that the run goes on from to one file, which is there whole or not at all: parameters, moments, step, thresholds, and the run's secret.</summary>
    /// <remarks>Whoever has the secret can take the noise away: the file is as private as the data.</remarks>
    public void SaveState(string path)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var progress = new Progress(StepsDone, NotFinite(), Convert.ToHexStringLower(_secret.Bytes), [.. Groups.Select(g => g.Threshold)], [.. Groups.Select(g => g.Quantile)]);
        SafeTensors.Write(path, Tensors().ToDictionary(t => t.Name, t => t.Tensor.detach(), StringComparer.Ordinal),
            new Dictionary<string, string> { ["fingerprint"] = Fingerprint(), ["progress"] = JsonSerializer.Serialize(progress) });
    }

    /// <summary>Goes back to a saved state: from there on, the same steps as if the run had not ended (bit for bit on the CPU with the same physical batch and threads).</summary>
    /// <exception cref="InvalidDataException">It is of another run, or damaged.</exception>
    public void LoadState(string path)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var file = SafeTensorsFile.Open(path);
        if (file.Header.Metadata.GetValueOrDefault("fingerprint") != Fingerprint())
            throw new InvalidDataException($"{path} is of another run (other examples, model, settings or seed); give what that run was given, or begin anew in another folder");
        Progress progress;
        try
        {
            progress = JsonSerializer.Deserialize<Progress>(file.Header.Metadata["progress"]) ?? throw new JsonException("no progress");
            if (progress.Thresholds.Length != Groups.Count || progress.Quantiles.Length != Groups.Count)
                throw new JsonException($"{progress.Thresholds.Length.ToString(CultureInfo.InvariantCulture)} thresholds");
            _secret = new RunSecret(Convert.FromHexString(progress.Secret));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException)
        {
            throw new InvalidDataException($"{path} is damaged: {e.Message}", e);
        }
        var entries = file.Header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        foreach (var (name, tensor) in Tensors())
            file.CopyTo(entries.GetValueOrDefault(name) ?? throw new InvalidDataException($"{path} is damaged: tensor {name} is missing"), tensor);
        foreach (var (group, threshold, quantile) in Groups.Zip(progress.Thresholds, progress.Quantiles))
            (group.Threshold, group.Quantile) = (threshold, quantile);
        StepsDone = progress.Step;
        _notFiniteBefore = progress.NotFinite;
        _source.NotFinite.zero_();
    }

    private IEnumerable<(string Name, Tensor Tensor)> Tensors()
    {
        for (int i = 0; i < Parameters.Count; i++)
        {
            yield return (Parameters[i].Name, Parameters[i].Parameter);
            if (_moments[i] is { } moment)
                yield return (Parameters[i].Name + ".moment", moment);
            if (_secondMoments[i] is { } second)
                yield return (Parameters[i].Name + ".second_moment", second);
        }
    }
}
