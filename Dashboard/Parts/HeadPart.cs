using System.Globalization;
using Chorus.Actors.Settings;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>Which run it is, whether it goes on, and what must not be overlooked.</summary>
internal static class HeadPart
{
    public static Html Head(RunView view)
    {
        var (word, look) = view.Status switch
        {
            RunStatus.Running => ("running", "well"),
            RunStatus.Pausing => ("pauses after this round", "changing"),
            RunStatus.Paused => ("paused", "changing"),
            RunStatus.Done => ("done", "done"),
            RunStatus.Ended => ("ended early", "alarm"),
            _ => ("not running here", "changing"),
        };
        return Html.Of($"""<span class="run-name">{view.Facts.Run}</span> <span class="pill {look}">{word}</span>""");
    }

    public static Html Banners(RunView view)
    {
        var privacy = view.Facts.Settings.Privacy;
        return Html.Join(
        [
            privacy.ReproducibleNoise && view.Facts.Settings.Method.SpendsPrivacy()
                ? Html.Of($"""<div class="note alarm"><strong>Not private: noise is reproducible.</strong> It follows from the run's seed, so that the simulation can be repeated; epsilon is what the same run would spend with noise from a cryptographic generator.</div>""")
                : Html.Empty,
            view.Facts.Settings.Method == Method.Private || (view.Facts.NoiseMultiplier == 0 && view.Facts.Settings.Method.SpendsPrivacy())
                ? Html.Of($"""<div class="note alarm"><strong>Not private: no noise is added.</strong> This run gives its clients no guarantee at all.</div>""")
                : Html.Empty,
            view.Facts.Settings.Diagnostics
                ? Html.Of($"""<div class="note alarm"><strong>Not private: diagnostics are on.</strong> Some figures here are computed from votes without noise.</div>""")
                : Html.Empty,
        ]);
    }

    public static Html Foot(RunView view)
    {
        var (facts, privacy) = (view.Facts, view.Facts.Settings.Privacy);
        return Html.Of($"""
            <p>Data {facts.Data} · {Words.Counted(facts.Clients, "client")} · seed {facts.Settings.Seed.ToString(CultureInfo.InvariantCulture)} · {Words.Method(facts.Settings.Method.NameOf())} · noise multiplier {Words.Number(facts.NoiseMultiplier)}, {facts.Charges.Sampling.ToString()!} · δ {Words.Number(facts.Delta)} · budget ε {Words.Number(privacy.Epsilon)}{(facts.SharedLedger ? ", on a shared ledger" : "")}</p>
            <p>Accuracy, distances and counts of clients are measured by the simulator without noise; epsilon does not cover them. No text of a client is on this page.</p>
            """);
    }
}
