using System.Collections.Immutable;
using System.Diagnostics;
using Chorus.Actors.Embedding;
using Chorus.Actors.Methods;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Policy.PolicyProtocol;

namespace Chorus.Actors.Policy;

/// <summary>
/// The policy of one run, opened from the run's folder. Each request starts from what is on disk (the adapter of the
/// round before, the candidates of this one), so that a policy that was restarted gives the same results. What only Private
/// Evolution does is in the partial file PolicySession.Evolution.cs.
/// </summary>
public sealed partial class PolicySession : IDisposable
{
    private const int SamplesShown = 6;

    private readonly RunFolder _folder;
    private readonly RunSettings _settings;
    private readonly FederatedCorpus _corpus;
    private readonly ISentenceEncoder _encoder;
    private readonly IPolicy _policy;
    private int? _adapterOf;

    /// <param name="run">The run's id.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="create">Makes the model: settings and public texts in, pretrained model out.</param>
    public PolicySession(string run, string folder, Func<RunSettings, IReadOnlyList<string>, IPolicy> create)
    {
        Run = run;
        _folder = new RunFolder(folder);
        _settings = RunSettings.Load(_folder.Settings);
        _corpus = RunData.Open(_settings.Data);
        _encoder = RunEncoder.Open(_settings.Encoder, _corpus.Initial);
        _policy = create(_settings, _corpus.Initial);
    }

    public string Run { get; }

    private int Clients => _settings.Clients.Limit == 0 ? _corpus.Clients.Count : Math.Min(_settings.Clients.Limit, _corpus.Clients.Count);

    private bool Evolves => _settings.Method is Method.Pe or Method.PeSft;

    public CandidatesGenerated Generate(GenerateCandidates request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var candidates = Evolves && request.Round > 1 ? Varied(request.Round, progress, ct) : Written(request.Round, progress, ct);
        var embeddings = EmbeddingMatrix.Encode(_encoder, [.. candidates.Candidates.Select(c => c.Text)]);
        RunFolder.WriteJson(_folder.Candidates(request.Round), candidates);
        RunFolder.Write(_folder.CandidateEmbeddings(request.Round), embeddings.ToBytes());
        return new CandidatesGenerated(Run, request.Round, embeddings.Sha256, candidates.Candidates.Length, watch.Elapsed.TotalSeconds);
    }

    public PolicyTuned Tune(TunePolicy request, Action<string, long, long, string> progress, CancellationToken ct) =>
        Evolves ? Evolve(request, progress, ct) : LearnPairs(request, progress, ct);

    public SyntheticMade WriteSynthetic(WriteSynthetic request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var texts = _settings.Method == Method.Pe ? Offspring(request.Rounds, progress, ct) : Texts(request.Rounds, progress, ct);
        var sha256 = RunFolder.WriteJson(_folder.Synthetic, texts);
        RunFolder.WriteJson(_folder.Samples, request.Rounds == 0 ? new SampleFile([], [.. texts.Take(SamplesShown)]) : Samples(texts, ct));
        return new SyntheticMade(Run, sha256, texts.Length, watch.Elapsed.TotalSeconds);
    }

    public void Dispose()
    {
        _policy.Dispose();
        (_encoder as IDisposable)?.Dispose();
        _corpus.Dispose();
    }

    private CandidateFile Written(int round, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var popri = _settings.Popri;
        UseAdapterOf(round - 1);
        var prompts = FewShotPrompts.Draw(_corpus.Initial.Length, popri.Prompts, popri.Shots, _settings.Seed, round);
        var candidates = _policy.Generate(
            TextsOf(prompts), popri.Samples, Seeds.Derive(_settings.Seed, "generate", round), (d, t, s) => progress("generate", d, t, s), ct);
        return new CandidateFile(round, popri.Samples, prompts, [.. candidates]);
    }

    private PolicyTuned LearnPairs(TunePolicy request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        UseAdapterOf(request.Round - 1);
        var file = RunFolder.ReadJson<CandidateFile>(_folder.Candidates(request.Round));
        var pairs = Pairs(request.Round);
        _adapterOf = null;
        var summary = _policy.Tune(
            TextsOf(file.Prompts), file.Candidates, file.SamplesPerPrompt, pairs, Seeds.Derive(_settings.Seed, "tune", request.Round),
            (d, t, s) => progress("tune", d, t, s), ct);
        var sha256 = _policy.SaveAdapter(_folder.Adapter(request.Round));
        _adapterOf = request.Round;
        return new PolicyTuned(
            Run, request.Round, sha256, pairs.Length, summary.Steps, summary.FirstLoss, summary.LastLoss, summary.RewardAccuracy, watch.Elapsed.TotalSeconds);
    }

    /// <summary>The round's preference pairs: released scores rank each prompt's candidates.</summary>
    private ImmutableArray<PreferencePair> Pairs(int round)
    {
        var popri = _settings.Popri;
        var scores = popri.RankByAll
            ? MeanAfter(round).Scores(CandidatesOf(round))
            : RoundWork.ScorerOf(_settings)(CandidatesOf(round)).Scores(RunFolder.ReadJson<Release>(_folder.Release(round)).Sums());
        var pairs = PreferencePairing.Widest(PreferencePairing.Rank(scores, popri.Prompts, popri.Samples, popri.RejectedRank), scores, popri.KeepPairs);
        RunFolder.WriteJson(_folder.Pairs(round), pairs);
        return pairs;
    }

    private EmbeddingMatrix CandidatesOf(int round) => EmbeddingMatrix.FromBytes(File.ReadAllBytes(_folder.CandidateEmbeddings(round)));

    /// <summary>What the releases up to a round say of the clients' mean text.</summary>
    private ReleasedMean MeanAfter(int rounds)
    {
        var mean = new ReleasedMean(_encoder.Dimension);
        for (var round = 1; round <= rounds; round++)
        {
            var release = RunFolder.ReadJson<Release>(_folder.Release(round));
            mean.Add((SubspaceScorer)RoundWork.ScorerOf(_settings)(CandidatesOf(round)), release.Sums(), release.NoiseMultiplier, RunContext.ExpectedCohortOf(_settings, Clients));
        }

        return mean;
    }

    /// <summary>As many texts of a pool as the product has, by the weights that the releases ask for.</summary>
    private string[] Drawn(string[] written, int rounds)
    {
        string[] pool = _settings.Popri.PublicTexts ? [.. written, .. _corpus.Initial] : written;
        var scores = MeanAfter(rounds).Scores(EmbeddingMatrix.Encode(_encoder, pool));
        var random = new byte[sizeof(uint)];
        new SeededRandomSource(_settings.Seed, "synthetic/draw").Fill(random);
        return [.. ReleasedMean.Draw(scores, _settings.SyntheticTexts, BitConverter.ToUInt32(random) / (uint.MaxValue + 1.0)).Select(i => pool[i])];
    }

    /// <summary>The synthetic texts of the policy as so many rounds have tuned it.</summary>
    private string[] Texts(int rounds, Action<string, long, long, string> progress, CancellationToken ct)
    {
        UseAdapterOf(rounds);
        var popri = _settings.Popri;
        var weighs = popri.Weighs && rounds > 0;
        var count = _settings.SyntheticTexts * (weighs ? popri.BestOf : 1);
        var prompts = FewShotPrompts.Draw(
            _corpus.Initial.Length, (count + popri.Samples - 1) / popri.Samples, popri.Shots, Seeds.Derive(_settings.Seed, "synthetic", 0), round: 0);
        var written = _policy.Generate(
            TextsOf(prompts), popri.Samples, Seeds.Derive(_settings.Seed, "synthetic", rounds), (d, t, s) => progress("synthesize", d, t, s), ct);
        string[] texts = [.. written.Select(c => c.Text.Trim()).Where(t => t.Length > 0).Take(count)];
        return weighs ? Drawn(texts, rounds) : texts;
    }

    /// <summary>For people: what the policy wrote to the first prompts before it was tuned, and writes to them now.</summary>
    private SampleFile Samples(string[] synthetic, CancellationToken ct)
    {
        var first = RunFolder.ReadJson<CandidateFile>(_folder.Candidates(1));
        var prompts = first.Prompts.Take(SamplesShown).ToImmutableArray();
        var after = _settings.Method == Method.Pe
            ? synthetic.Take(prompts.Length)
            : _policy.Generate(TextsOf(prompts), 1, Seeds.Derive(_settings.Seed, "samples", 0), (_, _, _) => { }, ct).Select(c => c.Text);
        return new SampleFile([.. prompts.Select((_, i) => first.Candidates[i * first.SamplesPerPrompt].Text)], [.. after]);
    }

    private void UseAdapterOf(int round)
    {
        if (_adapterOf == round)
            return;
        _policy.LoadAdapter(round == 0 ? null : _folder.Adapter(round));
        _adapterOf = round;
    }

    private string[][] TextsOf(ImmutableArray<ImmutableArray<int>> prompts) =>
        [.. prompts.Select(p => p.Select(i => _corpus.Initial[i]).ToArray())];
}
