using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Dpo;

/// <summary>Where a tuning keeps the state that it can go on from.</summary>
/// <param name="Directory">Of this tuning alone; made where missing. It may be deleted when the tuning is done with.</param>
/// <param name="EverySteps">State is written after so many steps, at the end, and when the tuning is cancelled.</param>
public sealed record DpoResume(string Directory, int EverySteps = 50)
{
    public int EverySteps { get; } = EverySteps > 0 ? EverySteps : throw new ArgumentOutOfRangeException(nameof(EverySteps), $"EverySteps must be at least 1, got {EverySteps}");
}

/// <summary>How far a tuning is: steps done, losses, and what the present epoch has counted.</summary>
internal sealed record DpoProgress(int Step = 0, double FirstLoss = 0, double LastLoss = 0, int Right = 0, double Margin = 0)
{
    public DpoSummary ToSummary(int pairs) => new(Step, FirstLoss, LastLoss, (double)Right / pairs, Margin / pairs);
}

internal static class DpoStepCount
{
    /// <summary>Optimiser steps of a tuning on so many pairs.</summary>
    public static int StepsOf(this int pairs, DpoSettings s) => checked((pairs + s.BatchSize - 1) / s.BatchSize * s.Epochs);
}

/// <summary>A tuning's state on disk: the adapter, AdamW's moments and step, and the place in the data, all in one file that is there whole or not at all.</summary>
internal sealed class DpoState(DpoResume resume, string fingerprint, LoraAdapter adapter, AdamW optimizer)
{
    private const string FileName = "dpo_state.safetensors";

    private string FilePath => Path.Combine(resume.Directory, FileName);

    public int EverySteps => resume.EverySteps;

    /// <summary>A hash of all that decides a tuning but the weights it starts from.</summary>
    public static string Fingerprint(CausalModel model, LoraAdapter adapter, IReadOnlyList<TokenPair> pairs, DpoSettings s, ulong seed)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"{model.Shape} {s} {seed} {adapter.Settings.Scale:R} {adapter.Dropout:R} {string.Join(" ", adapter.NamedParameters.Select(p => p.Name + string.Join(",", p.Parameter.shape)))}")));
        foreach (var tokens in pairs.SelectMany(p => new[] { p.Prompt, p.Chosen, p.Rejected }))
        {
            hash.AppendData(BitConverter.GetBytes(tokens.Length));
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(tokens.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Puts adapter and optimiser where the state has them; null where there is none yet.</summary>
    /// <exception cref="InvalidDataException">The state is of another tuning, or damaged.</exception>
    public DpoProgress? Load()
    {
        if (!File.Exists(FilePath))
            return null;
        using var file = SafeTensorsFile.Open(FilePath);
        var metadata = file.Header.Metadata;
        if (metadata.GetValueOrDefault("fingerprint") != fingerprint)
            throw new InvalidDataException($"{FilePath} is of another tuning (other pairs, settings, seed or adapter); delete {resume.Directory} to begin anew");
        DpoProgress done;
        try
        {
            done = JsonSerializer.Deserialize<DpoProgress>(metadata["progress"]) ?? throw new JsonException("no progress");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{FilePath} is damaged: {e.Message}", e);
        }
        var entries = file.Header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        foreach (var (name, tensor) in Tensors(adapter, optimizer))
            file.CopyTo(entries.GetValueOrDefault(name) ?? throw new InvalidDataException($"{FilePath} is damaged: tensor {name} is missing"), tensor);
        foreach (var state in States(optimizer))
            state.step = done.Step;
        return done;
    }

    /// <summary>All ranks of a group go on from rank 0's adapter, optimiser and place in the data.</summary>
    public static DpoProgress Share(ICollective group, LoraAdapter adapter, AdamW optimizer, DpoProgress done)
    {
        double[] none = [0, 0, 0, 0, 0], told = group.Sum(
            adapter.Parameters[0].device, group.Rank == 0 ? [done.Step, done.FirstLoss, done.LastLoss, done.Right, done.Margin] : none);
        group.Broadcast(Tensors(adapter, optimizer).Select(t => t.Tensor));
        foreach (var state in States(optimizer))
            state.step = (int)told[0];
        return new DpoProgress((int)told[0], told[1], told[2], (int)told[3], told[4]);
    }

    public void Save(DpoProgress done)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        SafeTensors.Write(FilePath, Tensors(adapter, optimizer).ToDictionary(t => t.Name, t => t.Tensor.detach(), StringComparer.Ordinal),
            new Dictionary<string, string> { ["fingerprint"] = fingerprint, ["progress"] = JsonSerializer.Serialize(done) });
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Tensors(LoraAdapter adapter, AdamW optimizer) => adapter.NamedParameters.Zip(States(optimizer)).SelectMany(t => new (string, Tensor)[]
    {
        (t.First.Name, t.First.Parameter), (t.First.Name + ".exp_avg", t.Second.exp_avg), (t.First.Name + ".exp_avg_sq", t.Second.exp_avg_sq),
    });

    // In the order of the parameters.
    private static List<AdamW.State> States(AdamW optimizer) => [.. optimizer.state_dict().State.Select(s => (AdamW.State)s)];
}
