using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Chorus.Actors.Embedding;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.FedAvg;
using Chorus.Simulation.Metrics;
using static Chorus.Actors.Evaluation.EvaluationProtocol;

namespace Chorus.Actors.Evaluation;

/// <summary>
/// The downstream model of one run, opened from the run's folder. Each request starts from what is on disk, so that an evaluator
/// that was restarted gives the same results; the floor is trained once.
/// </summary>
public sealed class EvaluationSession : IDisposable
{
    private readonly RunFolder _folder;
    private readonly RunSettings _settings;
    private readonly FederatedCorpus _corpus;
    private readonly IDownstreamExperiment _experiment;
    private readonly HeldOutTexts _heldOut;
    private ArmMeasured? _floor;

    /// <param name="run">The run's id.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="create">Makes the experiment: settings and public texts in.</param>
    public EvaluationSession(string run, string folder, Func<RunSettings, IReadOnlyList<string>, IDownstreamExperiment> create)
    {
        Run = run;
        _folder = new RunFolder(folder);
        _settings = RunSettings.Load(_folder.Settings);
        _corpus = RunData.Open(_settings.Data);
        try
        {
            _heldOut = new HeldOutTexts(_corpus.Eval, TopicsOf(_settings, _corpus));
            _experiment = create(_settings, _corpus.Initial);
        }
        catch
        {
            _corpus.Dispose();
            throw;
        }
    }

    public string Run { get; }

    private int Clients => _settings.Clients.Limit == 0 ? _corpus.Clients.Count : Math.Min(_settings.Clients.Limit, _corpus.Clients.Count);

    /// <summary>The weights that a round distributes: the floor's in round 1, else what the round before left.</summary>
    public PolicyProtocol.CandidatesGenerated Serve(PolicyProtocol.GenerateCandidates request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var file = _folder.Model(request.Round - 1);
        if (request.Round == 1 && !File.Exists(file))
        {
            Floor(progress, ct);
            RunFolder.Write(file, BytesOf(_experiment.FloorWeights()));
        }

        var bytes = File.ReadAllBytes(file);
        return new PolicyProtocol.CandidatesGenerated(Run, request.Round, Sha256(bytes), bytes.Length / sizeof(float), watch.Elapsed.TotalSeconds);
    }

    /// <summary>Moves the weights by a round's release: a step of the mean change with momentum (FedAvgM, arXiv:1909.06335).</summary>
    public PolicyProtocol.PolicyTuned Advance(PolicyProtocol.TunePolicy request)
    {
        var watch = Stopwatch.StartNew();
        var (federated, round) = (_settings.Federated, request.Round);
        var weights = FloatsOf(File.ReadAllBytes(_folder.Model(round - 1)));
        var mean = SumsOf(round);
        var momentum = round == 1 ? new float[weights.Length] : FloatsOf(File.ReadAllBytes(_folder.Momentum(round - 1)));
        var scale = federated.Clip / RunContext.ExpectedCohortOf(_settings, Clients);
        for (var i = 0; i < weights.Length; i++)
        {
            momentum[i] = (float)((federated.ServerMomentum * momentum[i]) + (scale * mean[i]));
            weights[i] += (float)(federated.ServerLearningRate * momentum[i]);
        }

        var bytes = BytesOf(weights);
        RunFolder.Write(_folder.Momentum(round), BytesOf(momentum));
        RunFolder.Write(_folder.Model(round), bytes);
        return new PolicyProtocol.PolicyTuned(Run, round, Sha256(bytes), 0, 0, 0, 0, 0, watch.Elapsed.TotalSeconds);
    }

    /// <summary>Trains and tests the arms.</summary>
    public DownstreamDone Measure(MeasureDownstream request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        List<ArmMeasured> arms = [Floor(progress, ct)];
        if (MethodArm(request, progress, ct) is { } arm)
            arms.Add(arm);
        if (_settings.Evaluation.Ceiling && _settings.Method is not (Method.Public or Method.Private))
            arms.Add(OnPrivateTexts("ceiling", progress, ct));
        if (_settings.Method == Method.Private)
            arms.Add(arms[^1] with { Name = "ceiling" });
        return new DownstreamDone(request.Run, [.. arms], watch.Elapsed.TotalSeconds);
    }

    public void Dispose()
    {
        _experiment.Dispose();
        _corpus.Dispose();
    }

    private ArmMeasured? MethodArm(MeasureDownstream request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var name = _settings.Method.NameOf();
        void Report(long done, long total, string detail) => progress($"downstream: {name}", done, total, detail);
        return _settings.Method switch
        {
            Method.Public => null,
            Method.Private => OnPrivateTexts(name, progress, ct),
            Method.DpSgd => _experiment.FromPrivately(
                name, [.. Enumerable.Range(0, Clients).Select(c => (IReadOnlyList<string>)_corpus.Clients.ReadTexts(c))], request.NoiseMultiplier, _heldOut, Report, ct),
            var m when m.TrainsAtClients() => _experiment.Measure(name, FloatsOf(File.ReadAllBytes(_folder.Model(_settings.Rounds))), _heldOut, ct),
            _ => _experiment.From(name, Draw(RunFolder.ReadJson<string[]>(_folder.Synthetic), _settings.Evaluation.Texts), _heldOut, Report, ct),
        };
    }

    private ArmMeasured Floor(Action<string, long, long, string> progress, CancellationToken ct) =>
        _floor ??= _experiment.Floor(Draw(_corpus.Initial, _settings.Evaluation.PublicTexts), _heldOut, (d, t, s) => progress("downstream: floor", d, t, s), ct);

    private ArmMeasured OnPrivateTexts(string arm, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var all = Enumerable.Range(0, Clients).SelectMany(c => _corpus.Clients.ReadTexts(c)).ToArray();
        return _experiment.From(arm, Draw(all, _settings.Evaluation.Texts), _heldOut, (d, t, s) => progress($"downstream: {arm}", d, t, s), ct);
    }

    /// <summary>The noised sum of a round's updates, in units of the clipping threshold.</summary>
    private double[] SumsOf(int round)
    {
        if (_settings.Method != Method.DpFtrl)
            return RunFolder.ReadJson<Release>(_folder.Release(round)).Sums();
        // Each round's sum follows from its row and from the sums before it, and so from all rows.
        var banded = new BandedNoise(_settings.Federated.Bands);
        ImmutableList<double[]> latest = [];
        for (var r = 1; r <= round; r++)
            latest = [banded.Solve(RunFolder.ReadJson<Release>(_folder.Release(r)).Sums(), latest), .. latest.Take(banded.Bands - 1)];
        return latest[0];
    }

    private static HeldOutTopics TopicsOf(RunSettings settings, FederatedCorpus corpus)
    {
        if (settings.Evaluation.Topics == 0)
            return HeldOutTopics.None(corpus.Eval.Length);
        ISentenceEncoder? encoder = null;
        try
        {
            return HeldOutTopics.Read(corpus, () => encoder = RunEncoder.Open(settings.Encoder, corpus.Initial), settings.Evaluation.Topics);
        }
        finally
        {
            (encoder as IDisposable)?.Dispose();
        }
    }

    private IReadOnlyList<string> Draw(IReadOnlyList<string> texts, int count) => TextDraw.Of(texts, count, _settings.Seed);

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static byte[] BytesOf(float[] weights) => MemoryMarshal.AsBytes(weights.AsSpan()).ToArray();

    private static float[] FloatsOf(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes).ToArray();
}
