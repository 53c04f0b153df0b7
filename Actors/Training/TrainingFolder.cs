using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Training;

/// <summary>The files of a training: state.safetensors (to go on from; as private as the data), privacy.json, checkpoint or adapter, result.json.</summary>
public sealed class TrainingFolder
{
    private readonly bool _resume;

    /// <exception cref="SettingsException">There is a run already and it is not to be resumed, or the other way round.</exception>
    public TrainingFolder(string path, bool resume)
    {
        (Path, _resume) = (System.IO.Path.GetFullPath(path), resume);
        if (File.Exists(Path))
            throw new SettingsException($"--out {path} is a file: give a folder");
        if (resume && !File.Exists(StateFile))
            throw new SettingsException($"--resume: {path} holds no state.safetensors; leave --resume out to begin");
        if (!resume && File.Exists(StateFile))
            throw new SettingsException($"--out {path} holds a training already: go on with --resume, or give another folder");
    }

    public string Path { get; }

    /// <summary>Where a state is written.</summary>
    public string StateFile => System.IO.Path.Combine(Path, "state.safetensors");

    /// <summary>The state to go on from; null where none was written yet.</summary>
    public string? State => File.Exists(StateFile) ? StateFile : null;

    /// <summary>Where the product goes.</summary>
    public string Product(bool adapter) => System.IO.Path.Combine(Path, adapter ? "adapter" : "checkpoint");

    /// <summary>Makes the charge durable; what it pays for may be written after.</summary>
    /// <remarks>
    /// A charge is never taken back: a run that was killed between charge and release repeats the same steps with the same draws and noise, so the release that was paid for is
    /// the one that is made, and nothing is paid for twice.
    /// </remarks>
    public void Charge(PrivacyHistory history)
    {
        ArgumentNullException.ThrowIfNull(history);
        var file = System.IO.Path.Combine(Path, "privacy.json");
        if (_charged is null && _resume && File.Exists(file))
            _charged = PrivacyHistory.FromJson(File.ReadAllText(file));
        if (_charged is not null && Steps(_charged) >= Steps(history))
            return;
        Write("privacy.json", history.ToJson());
        _charged = history;
    }

    /// <summary>Writes a file, there whole or not at all; the first one makes the folder.</summary>
    public void Write(string name, string text)
    {
        Directory.CreateDirectory(Path);
        var temporary = System.IO.Path.Combine(Path, $".{name}.tmp");
        File.WriteAllText(temporary, text + "\n");
        File.Move(temporary, System.IO.Path.Combine(Path, name), overwrite: true);
    }

    private PrivacyHistory? _charged;

    private static long Steps(PrivacyHistory history) => history.Events.Sum(e => (long)e.Count);
}
