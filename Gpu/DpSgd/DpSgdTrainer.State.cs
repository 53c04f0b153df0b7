using System.Globalization;
using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Collectives;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

public sealed partial class DpSgdTrainer
{
    private sealed record Progress(int Step, long NotFinite, string Secret, double[] Thresholds, double[] Quantiles);

    /// <summary>Writes all that the run goes on from to one file, which is there whole or not at all: parameters, moments, step, thresholds, and the run's secret.</summary>
    /// <remarks>
    /// Whoever has the secret can take the noise away: the file is as private as the data. In a group all ranks call this, and rank 0 writes; the file says nothing of how many
    /// they are, so that a run goes on with more or fewer.
    /// </remarks>
    /// <exception cref="CollectiveBrokenException">A rank of the group is gone; nothing was written.</exception>
    public void SaveState(string path)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _shards?.AwaitWeights();
        long notFinite = GroupNotFinite();
        var tensors = Parameters.ToDictionary(p => p.Name, p => p.Parameter.detach(), StringComparer.Ordinal);
        foreach (var (suffix, of) in States())
        {
            if (_shards is null)
            {
                foreach (var piece in _pieces[0])
                    tensors.Add(piece.Parameter.Name + suffix, of(piece)!.view(piece.Parameter.Parameter.shape));
                continue;
            }
            // One bucket at a time is whole on the device; what is to be written waits on the host.
            _shards.Gather(bucket => [.. _pieces[bucket].Select(of)], (parameter, values) =>
            {
                if (_group!.Rank == 0)
                    tensors.Add(parameter.Name + suffix, empty(values.shape, values.dtype).copy_(values).MoveToOtherDisposeScope(scope));
            });
        }
        _group?.Complete();
        if (_group is not null && _group.Rank != 0)
            return;
        SafeTensors.Write(path, tensors, new Dictionary<string, string> { ["fingerprint"] = _fingerprint, ["progress"] = JsonSerializer.Serialize(Progressed(notFinite)) });
    }

    /// <summary>Goes back to a saved state: from there on, the same steps as if the run had not ended (bit for bit on the CPU with the same physical batch, ranks and threads).</summary>
    /// <remarks>In a group all ranks call this, and all get rank 0's state; the others' paths play no part. Before its first step a group does so by itself.</remarks>
    /// <param name="path">Null, in a group alone: rank 0's state is as it stands.</param>
    /// <exception cref="InvalidDataException">It is of another run, or damaged; or this rank was made for another run than rank 0.</exception>
    public void LoadState(string? path)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (_group is null)
        {
            using var file = SafeTensorsFile.Open(path ?? throw new ArgumentNullException(nameof(path), "a trainer that is alone has no other to get a state from"));
            Apply(ReadProgress(file, path));
            foreach (var parameter in Parameters)
                Copy(file, path, parameter.Name, parameter.Parameter);
            foreach (var (suffix, of) in States())
            {
                foreach (var piece in _pieces[0])
                    Copy(file, path, piece.Parameter.Name + suffix, of(piece)!.view(piece.Parameter.Parameter.shape));
            }
            return;
        }
        LoadTogether(path);
    }

    private void LoadTogether(string? path)
    {
        bool first = _group!.Rank == 0;
        try
        {
            _shards!.AwaitWeights();
            using var file = first && path is not null ? SafeTensorsFile.Open(path) : null;
            var told = Broadcast(first ? new Told(_fingerprint, file is not null, file is null ? Progressed(0) : ReadProgress(file, path!)) : null);
            if (told.Fingerprint != _fingerprint)
                throw new InvalidDataException($"rank {_group.Rank} was made for another run than rank 0 (other examples, model, settings or seed): every trainer needs the same files and options");
            Apply(told.Progress);
            if (file is not null)
            {
                foreach (var parameter in Parameters)
                    Copy(file, path!, parameter.Name, parameter.Parameter);
            }
            _shards.BroadcastWeights();
            foreach (var (suffix, of) in told.Saved ? States() : [])
                _shards.Scatter((parameter, values) => Copy(file!, path!, parameter.Name + suffix, values), bucket => [.. _pieces[bucket].Select(of)]);
            _group.Complete();
            _together = true;
        }
        catch (Exception e)
        {
            _group.Abort(e.Message); // the others wait for this rank
            throw;
        }
    }

    /// <summary>What rank 0 tells the others before the tensors.</summary>
    /// <param name="Saved">Whether there is a saved state; without, the optimizer has none yet.</param>
    private sealed record Told(string Fingerprint, bool Saved, Progress Progress);

    private Told Broadcast(Told? told)
    {
        byte[] bytes = told is null ? [] : JsonSerializer.SerializeToUtf8Bytes(told);
        var length = tensor([(long)bytes.Length]).to(_model.Device);
        _group!.Broadcast(length, 0).Wait();
        var content = told is null ? zeros([length.cpu().item<long>()], ScalarType.Byte, _model.Device) : tensor(bytes).to(_model.Device);
        _group.Broadcast(content, 0).Wait();
        _group.Complete();
        return JsonSerializer.Deserialize<Told>(content.cpu().data<byte>().ToArray())!;
    }

    private Progress Progressed(long notFinite) =>
        new(StepsDone, notFinite, Convert.ToHexStringLower(_secret.Bytes), [.. Groups.Select(g => g.Threshold)], [.. Groups.Select(g => g.Quantile)]);

    private Progress ReadProgress(SafeTensorsFile file, string path)
    {
        if (file.Header.Metadata.GetValueOrDefault("fingerprint") != _fingerprint)
            throw new InvalidDataException($"{path} is of another run (other examples, model, settings or seed); give what that run was given, or begin anew in another folder");
        try
        {
            var progress = JsonSerializer.Deserialize<Progress>(file.Header.Metadata["progress"]) ?? throw new JsonException("no progress");
            if (progress.Thresholds.Length != Groups.Count || progress.Quantiles.Length != Groups.Count)
                throw new JsonException($"{progress.Thresholds.Length.ToString(CultureInfo.InvariantCulture)} thresholds");
            _ = Convert.FromHexString(progress.Secret);
            return progress;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException)
        {
            throw new InvalidDataException($"{path} is damaged: {e.Message}", e);
        }
    }

    private void Apply(Progress progress)
    {
        _secret = new RunSecret(Convert.FromHexString(progress.Secret));
        foreach (var (group, threshold, quantile) in Groups.Zip(progress.Thresholds, progress.Quantiles))
            (group.Threshold, group.Quantile) = (threshold, quantile);
        StepsDone = progress.Step;
        _notFiniteBefore = _group is null || _group.Rank == 0 ? progress.NotFinite : 0; // ranks' counts are added up
        _source.NotFinite.zero_();
    }

    private long GroupNotFinite()
    {
        using var scope = NewDisposeScope();
        if (_group is null)
            return NotFinite();
        var counted = tensor([NotFinite()]).to(_model.Device);
        _group.AllReduce(counted).Wait();
        return counted.cpu().item<long>();
    }

    private static void Copy(SafeTensorsFile file, string path, string name, Tensor to) =>
        file.CopyTo(file.Header.Entries.FirstOrDefault(e => e.Name == name) ?? throw new InvalidDataException($"{path} is damaged: tensor {name} is missing"), to);

    // The optimizer's tensors by the ends of their names.
    private IEnumerable<(string Suffix, Func<ParameterPiece, Tensor?> Of)> States()
    {
        if (KeepsMoment)
            yield return (".moment", p => p.Moment);
        if (_settings.Optimizer == DpOptimizer.AdamW)
            yield return (".second_moment", p => p.SecondMoment);
    }
}
