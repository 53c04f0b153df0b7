using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.PrivateEvolution;
using static Chorus.Actors.Policy.PolicyProtocol;

namespace Chorus.Actors.Policy;

/// <summary>
/// Private Evolution: a round's candidates are the parents that the round before selected, and variations of them that the policy
/// writes. The policy itself learns nothing, but for pe-sft's fine-tuning at the end.
/// </summary>
public sealed partial class PolicySession
{
    /// <summary>Parents and their children: candidate index = parent x samples + child, child 0 being the parent itself.</summary>
    private CandidateFile Varied(int round, Action<string, long, long, string> progress, CancellationToken ct)
    {
        UseAdapterOf(0);
        var popri = _settings.Popri;
        var parents = ParentsOf(round - 1);
        var children = Vary(parents, popri.Samples - 1, "generate", round, progress, ct);
        return new CandidateFile(
            round, popri.Samples, [.. parents.Select(_ => ImmutableArray<int>.Empty)],
            [.. parents.SelectMany((p, i) => children.Skip(i * (popri.Samples - 1)).Take(popri.Samples - 1).Prepend(p))]);
    }

    private PolicyTuned Evolve(TunePolicy request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var release = RunFolder.ReadJson<Release>(_folder.Release(request.Round));
        var parents = ParentSelection.Select(
            release.Sums(), _settings.Popri.Prompts, _settings.Pe.Selection, _settings.Pe.Threshold * release.NoiseMultiplier, Random("parents", request.Round));
        var sha256 = RunFolder.WriteJson(_folder.Parents(request.Round), parents);
        var summary = new TuningSummary(0, 0, 0, 0);
        if (_settings.Method == Method.PeSft && request.Round == _settings.Rounds)
        {
            var selected = ParentsOf(request.Round);
            var children = Vary(selected, _settings.Popri.Samples - 1, "tune", request.Round, progress, ct);
            UseAdapterOf(0);
            _adapterOf = null;
            summary = _policy.FineTune(
                [.. selected, .. children], _settings.Pe.SftLearningRate, _settings.Pe.SftEpochs, Seeds.Derive(_settings.Seed, "tune", request.Round),
                (d, t, s) => progress("tune", d, t, s), ct);
            sha256 = _policy.SaveAdapter(_folder.Adapter(request.Round));
            _adapterOf = request.Round;
        }

        return new PolicyTuned(
            Run, request.Round, sha256, parents.Length, summary.Steps, summary.FirstLoss, summary.LastLoss, summary.RewardAccuracy, watch.Elapsed.TotalSeconds);
    }

    /// <summary>The product of Private Evolution: the last parents, and as many variations of them as are wanted.</summary>
    private string[] Offspring(int rounds, Action<string, long, long, string> progress, CancellationToken ct)
    {
        UseAdapterOf(0);
        var (parents, count) = (ParentsOf(rounds), _settings.SyntheticTexts);
        var children = Vary(parents, Math.Max(0, (count + parents.Length - 1) / parents.Length - 1), "synthesize", rounds + 1, progress, ct);
        return [.. parents.Concat(children).Select(c => c.Text.Trim()).Where(t => t.Length > 0).Take(count)];
    }

    /// <summary>Children of each parent, in the parents' order; texts shown before them are other parents.</summary>
    private IReadOnlyList<CandidateText> Vary(
        IReadOnlyList<CandidateText> parents, int each, string stage, int round, Action<string, long, long, string> progress, CancellationToken ct)
    {
        if (each == 0)
            return [];
        var shots = Math.Min(_settings.Popri.Shots, parents.Count);
        var seed = Seeds.Derive(_settings.Seed, $"vary/{stage}", round);
        var shown = shots == 0 ? [] : FewShotPrompts.Draw(parents.Count, parents.Count * each, shots, seed, round);
        var keep = new byte[parents.Count * each * sizeof(uint)];
        Random($"keep/{stage}", round).Fill(keep);
        var variations = Enumerable.Range(0, parents.Count * each).Select(i => new TextVariation(
            shots == 0 ? [] : [.. shown[i].Select(p => parents[p].Text)],
            parents[i / each],
            _settings.Pe.Keep * (BitConverter.ToUInt32(keep, i * sizeof(uint)) / (uint.MaxValue + 1.0))));
        return _policy.Vary([.. variations], seed, (d, t, s) => progress(stage, d, t, s), ct);
    }

    private CandidateText[] ParentsOf(int round)
    {
        var candidates = RunFolder.ReadJson<CandidateFile>(_folder.Candidates(round)).Candidates;
        return [.. RunFolder.ReadJson<ImmutableArray<int>>(_folder.Parents(round)).Select(i => candidates[i])];
    }

    private SeededRandomSource Random(string purpose, int round) =>
        new(_settings.Seed, string.Create(CultureInfo.InvariantCulture, $"evolution/{purpose}/{round}"));
}
