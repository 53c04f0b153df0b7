using Chorus.Actors.Runs;
using Chorus.Actors.Settings;

namespace Chorus.Actors.Watch;

/// <summary>A run as its folder tells it, with no actor system and without its data.</summary>
public static class FinishedRun
{
    /// <exception cref="SettingsException">The folder holds no run, or one that has not begun.</exception>
    public static RunView Read(RunFolder folder, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(time);
        if (!File.Exists(folder.Settings))
            throw new SettingsException($"{folder.Path} holds no run (no run.conf)");
        var history = RunHistory.Read(folder);
        var facts = RunFacts.Of(folder, history.State);
        return new RunView
        {
            Facts = facts,
            At = time.GetUtcNow(),
            StepSince = history.Last ?? time.GetUtcNow(),
            Live = false,
            History = history,
            Budget = facts.Budget(),
            Texts = RoundTexts.ReadIfNewer(facts, history.State, shown: null),
        };
    }
}
