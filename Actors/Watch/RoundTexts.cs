using System.Collections.Immutable;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Watch;

/// <summary>Two candidates for one prompt, and how far apart the clients' noised votes put them.</summary>
/// <param name="Margin">Difference of the mean votes; NaN where it is not known.</param>
public sealed record JudgedPair(string Chosen, string Rejected, double Margin);

/// <summary>
/// A few of the texts that the policy wrote, for people. Candidates are made from public prompts and from earlier releases,
/// so showing them tells nothing of a client that these did not.
/// </summary>
/// <param name="Round">The round of the candidates.</param>
/// <param name="PairsRound">The last round whose pairs are made; 0 while none is.</param>
/// <param name="Pairs">Chosen beside rejected of that round, the widest apart first.</param>
/// <param name="Before">What it wrote before the first tuning.</param>
/// <param name="Now">What it writes in this round; of the same prompts as <paramref name="Before"/> once the run is over.</param>
/// <param name="SamePrompts">Whether the last two are answers to the same prompts.</param>
public sealed record RoundTexts(int Round, int PairsRound, ImmutableArray<JudgedPair> Pairs, ImmutableArray<string> Before, ImmutableArray<string> Now, bool SamePrompts)
{
    private const int Shown = 4;

    /// <summary>Reads them from the run's folder, unless what is shown already is of the same files.</summary>
    /// <param name="state">What is done: the texts are of the last round that has candidates.</param>
    /// <param name="shown">What is shown; null where nothing is.</param>
    /// <returns>Null where there are no candidates yet; <paramref name="shown"/> where there is nothing newer, or a file is missing or damaged.</returns>
    public static RoundTexts? ReadIfNewer(RunFacts facts, RunState state, RoundTexts? shown)
    {
        ArgumentNullException.ThrowIfNull(facts);
        ArgumentNullException.ThrowIfNull(state);
        if (state.Rounds is not [.., var last] || !facts.Plan.WritesTexts)
            return null;
        var folder = facts.Folder;
        var judged = state.Rounds.LastOrDefault(r => r.Release is not null && (IsEvolution(facts) || File.Exists(folder.Pairs(r.Round))))?.Round ?? 0;
        var written = state.Synthetic is not null && File.Exists(folder.Samples);
        if (shown is not null && (shown.Round, shown.PairsRound, shown.SamePrompts) == (last.Round, judged, written))
            return shown;
        try
        {
            var candidates = RunFolder.ReadJson<CandidateFile>(folder.Candidates(last.Round));
            var pairs = judged == 0 ? [] : Judged(facts, judged == last.Round ? candidates : RunFolder.ReadJson<CandidateFile>(folder.Candidates(judged)));
            if (written)
            {
                var samples = RunFolder.ReadJson<SampleFile>(folder.Samples);
                return new RoundTexts(last.Round, judged, pairs, First(samples.Before), First(samples.After), SamePrompts: true);
            }

            var first = last.Round == 1 ? candidates : RunFolder.ReadJson<CandidateFile>(folder.Candidates(1));
            return new RoundTexts(last.Round, judged, pairs, OnePerPrompt(first), last.Round == 1 ? [] : OnePerPrompt(candidates), SamePrompts: false);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return shown; // the page does without
        }
    }

    private static bool IsEvolution(RunFacts facts) => facts.Settings.Method is Method.Pe or Method.PeSft;

    /// <summary>What was released is a number a candidate, unless it was released in fewer dimensions: then how far apart is not said.</summary>
    private static ImmutableArray<JudgedPair> Judged(RunFacts facts, CandidateFile file)
    {
        var (folder, candidates, round) = (facts.Folder, file.Candidates, file.Round);
        var votes = RunFolder.ReadJson<Release>(folder.Release(round)).Sums();
        var known = votes.Length == candidates.Length;
        if (known)
        {
            var expected = RunContext.ExpectedCohortOf(facts.Settings, facts.Clients);
            votes = [.. votes.Select(v => v / expected)];
        }

        JudgedPair Pair(int chosen, int rejected) => new(candidates[chosen].Text, candidates[rejected].Text, known ? votes[chosen] - votes[rejected] : double.NaN);
        if (!IsEvolution(facts))
        {
            var pairs = RunFolder.ReadJson<PreferencePair[]>(folder.Pairs(round))
                .Where(p => p.Chosen < candidates.Length && p.Rejected < candidates.Length)
                .Select(p => Pair(p.Chosen, p.Rejected));
            return [.. (known ? pairs.OrderByDescending(p => p.Margin) : pairs).Take(Shown)];
        }

        if (!known)
            return [];
        int[] ranked = [.. Enumerable.Range(0, votes.Length).OrderByDescending(i => votes[i]).ThenBy(i => i)];
        return [.. Enumerable.Range(0, Math.Min(Shown, ranked.Length / 2)).Select(i => Pair(ranked[i], ranked[^(i + 1)]))];
    }

    private static ImmutableArray<string> OnePerPrompt(CandidateFile file) =>
        First([.. Enumerable.Range(0, file.Prompts.Length).Select(p => p * file.SamplesPerPrompt).Where(i => i < file.Candidates.Length).Select(i => file.Candidates[i].Text)]);

    private static ImmutableArray<string> First(ImmutableArray<string> texts) => [.. texts.Where(t => !string.IsNullOrWhiteSpace(t)).Take(Shown)];
}
