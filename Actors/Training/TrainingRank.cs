using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Actors.Training;

/// <summary>One rank's model, examples and trainer. All of it is used on its device's thread alone.</summary>
internal sealed class TrainingRank : IDisposable
{
    private readonly CausalModel _model;
    private readonly LoraAdapter? _adapter;
    private readonly IReadOnlyList<int[]> _examples;
    private readonly DpSgdSettings _settings;
    private DpSgdTrainer? _trainer;
    private ICollective? _group;

    /// <summary>Loads the model and reads the examples.</summary>
    /// <exception cref="SettingsException">Files that are missing, or do not fit.</exception>
    public TrainingRank(TrainingJob job, torch.Device device)
    {
        _settings = job.Settings;
        (_model, _adapter) = job.Load(device);
        _examples = job.Examples(_model.Shape);
    }

    public int StepsDone => _trainer?.StepsDone ?? 0;

    public TrainedModel Trained => _trainer is { } t ? new TrainedModel(t.Parameters.Sum(p => p.Parameter.numel()), t.Groups.Count) : throw new InvalidOperationException("no epoch has begun");

    /// <summary>Begins an epoch: a new trainer on the same model, with the state that rank 0 has.</summary>
    /// <param name="group">Owned from now on; null: alone.</param>
    /// <param name="state">A file; null: as the model stands.</param>
    public void Join(ICollective? group, string? state)
    {
        Leave();
        _group = group;
        try
        {
            _trainer = new DpSgdTrainer(_model, _adapter, _examples, _settings, null, group);
        }
        catch (NotSupportedException e)
        {
            throw new SettingsException(e.Message);
        }
        if (group is not null || state is not null)
            _trainer.LoadState(state);
    }

    /// <summary>Leaves the epoch; the model keeps whatever weights it has.</summary>
    public void Leave()
    {
        _trainer?.Dispose();
        _group?.Dispose();
        (_trainer, _group) = (null, null);
    }

    public RankReport? Run(int until, bool report)
    {
        var trainer = _trainer ?? throw new InvalidOperationException("no epoch has begun");
        while (trainer.StepsDone < until)
            trainer.Step(more: trainer.StepsDone + 1 < until);
        if (!report)
            return null;
        var r = trainer.Report();
        _group?.Complete(); // a group that broke has no figures
        return new RankReport(r.Loss, r.Tokens, r.NotFinite, r.Communication.TotalSeconds, r.Data.TotalSeconds, PeakMemory.Bytes(_model.Device));
    }

    public void Save(string path) => (_trainer ?? throw new InvalidOperationException("no epoch has begun")).SaveState(path);

    /// <summary>Writes the checkpoint, or the adapter.</summary>
    public void WriteProduct(string directory)
    {
        if (_adapter is null)
            CausalCheckpoint.Save(_model, directory);
        else
            _adapter.Save(directory);
    }

    public void Dispose()
    {
        Leave();
        _adapter?.Dispose();
        _model.Dispose();
    }
}
