using System.Collections.Immutable;
using System.Diagnostics;
using Chorus.Actors.Embedding;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Policy.PolicyProtocol;

namespace Chorus.Actors.Policy;

/// <summary>
/// The policy of one run, opened from the run's folder. Each request starts from what is on disk (the adapter of the
/// round before, the candidates of this one), so that a policy that was restarted gives the same results.
/// </summary>
public sealed class PolicySession : IDisposable
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

    public CandidatesGenerated Generate(GenerateCandidates request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var popri = _settings.Popri;
        UseAdapterOf(request.Round - 1);
        var prompts = FewShotPrompts.Draw(_corpus.Initial.Length, popri.Prompts, popri.Shots, _settings.Seed, request.Round);
        var seed = Seeds.Derive(_settings.Seed, "generate", request.Round);
        var candidates = _policy.Generate(Texts(prompts), popri.Samples, seed, (d, t, s) => progress("generate", d, t, s), ct);
        var embeddings = EmbeddingMatrix.Encode(_encoder, [.. candidates.Select(c => c.Text)]);
        RunFolder.WriteJson(_folder.Candidates(request.Round), new CandidateFile(request.Round, popri.Samples, prompts, [.. candidates]));
        RunFolder.Write(_folder.CandidateEmbeddings(request.Round), embeddings.ToBytes());
        return new CandidatesGenerated(Run, request.Round, embeddings.Sha256, candidates.Count, watch.Elapsed.TotalSeconds);
    }

    public PolicyTuned Tune(TunePolicy request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        UseAdapterOf(request.Round - 1);
        var file = RunFolder.ReadJson<CandidateFile>(_folder.Candidates(request.Round));
        _adapterOf = null;
        var summary = _policy.Tune(
            Texts(file.Prompts), file.Candidates, file.SamplesPerPrompt, request.Pairs, Seeds.Derive(_settings.Seed, "tune", request.Round),
            (d, t, s) => progress("tune", d, t, s), ct);
        var sha256 = _policy.SaveAdapter(_folder.Adapter(request.Round));
        _adapterOf = request.Round;
        return new PolicyTuned(
            Run, request.Round, sha256, summary.Steps, summary.FirstLoss, summary.LastLoss, summary.RewardAccuracy, watch.Elapsed.TotalSeconds);
    }

    public SyntheticMade WriteSynthetic(WriteSynthetic request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        UseAdapterOf(request.Rounds);
        var popri = _settings.Popri;
        var count = _settings.SyntheticTexts;
        var prompts = FewShotPrompts.Draw(
            _corpus.Initial.Length, (count + popri.Samples - 1) / popri.Samples, popri.Shots, Seeds.Derive(_settings.Seed, "synthetic", 0), round: 0);
        var seed = Seeds.Derive(_settings.Seed, "synthetic", request.Rounds);
        var written = _policy.Generate(Texts(prompts), popri.Samples, seed, (d, t, s) => progress("synthesize", d, t, s), ct);
        var texts = written.Select(c => c.Text.Trim()).Where(t => t.Length > 0).Take(count).ToArray();
        var sha256 = RunFolder.WriteJson(_folder.Synthetic, texts);
        WriteSamples(ct);
        return new SyntheticMade(Run, sha256, texts.Length, watch.Elapsed.TotalSeconds);
    }

    /// <summary>For people: what the policy wrote to the first prompts before it was tuned, and writes to them now.</summary>
    private void WriteSamples(CancellationToken ct)
    {
        var first = RunFolder.ReadJson<CandidateFile>(_folder.Candidates(1));
        var prompts = first.Prompts.Take(SamplesShown).ToImmutableArray();
        var after = _policy.Generate(Texts(prompts), 1, Seeds.Derive(_settings.Seed, "samples", 0), (_, _, _) => { }, ct);
        RunFolder.WriteJson(
            _folder.Samples,
            new SampleFile([.. prompts.Select((_, i) => first.Candidates[i * first.SamplesPerPrompt].Text)], [.. after.Select(c => c.Text)]));
    }

    public void Dispose()
    {
        _policy.Dispose();
        (_encoder as IDisposable)?.Dispose();
        _corpus.Dispose();
    }

    private void UseAdapterOf(int round)
    {
        if (_adapterOf == round)
            return;
        _policy.LoadAdapter(round == 0 ? null : _folder.Adapter(round));
        _adapterOf = round;
    }

    private string[][] Texts(ImmutableArray<ImmutableArray<int>> prompts) =>
        [.. prompts.Select(p => p.Select(i => _corpus.Initial[i]).ToArray())];
}
