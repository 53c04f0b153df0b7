using System.Text.Json;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Commands.Train;

/// <summary>The files of a training: state.safetensors (to go on from; as private as the data), privacy.json, checkpoint or adapter, result.json.</summary>
internal sealed class TrainFolder
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly string _path;
    private readonly bool _resume;

    /// <exception cref="SettingsException">There is a run already and it is not to be resumed, or the other way round.</exception>
    public TrainFolder(string path, bool resume)
    {
        (_path, _resume) = (Path.GetFullPath(path), resume);
        if (File.Exists(_path))
            throw new SettingsException($"--out {path} is a file: give a folder");
        if (resume && !File.Exists(State))
            throw new SettingsException($"--resume: {path} holds no state.safetensors; leave --resume out to begin");
        if (!resume && File.Exists(State))
            throw new SettingsException($"--out {path} holds a training already: go on with --resume, or give another folder");
    }

    public string Model(bool adapter) => Path.Combine(_path, adapter ? "adapter" : "checkpoint");

    private string State => Path.Combine(_path, "state.safetensors");

    public void Open(DpSgdTrainer trainer)
    {
        Directory.CreateDirectory(_path);
        if (_resume)
            trainer.LoadState(State);
    }

    /// <summary>The charge is on disk before what it pays for.</summary>
    public void Save(DpSgdTrainer trainer, PrivacyHistory? history)
    {
        if (history is not null)
            Write("privacy.json", history.ToJson());
        trainer.SaveState(State);
    }

    public void Finish(CausalModel model, LoraAdapter? adapter, object result)
    {
        if (adapter is null)
            CausalCheckpoint.Save(model, Model(adapter: false));
        else
            adapter.Save(Model(adapter: true));
        Write("result.json", JsonSerializer.Serialize(result, Json));
    }

    private void Write(string name, string text)
    {
        var temporary = Path.Combine(_path, $".{name}.tmp");
        File.WriteAllText(temporary, text + "\n");
        File.Move(temporary, Path.Combine(_path, name), overwrite: true);
    }
}
