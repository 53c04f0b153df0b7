using System.Collections.Immutable;
using System.Security.Cryptography;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Dpo;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Policy;
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Training;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Policy;

/// <summary>The policy with a Llama-architecture model of Chorus.Gpu.</summary>
public sealed class TorchPolicy : IPolicy
{
    private readonly PolicyModel _model;

    private TorchPolicy(PolicyModel model) => _model = model;

    /// <summary>Loads the run's checkpoint; or the base model from the user's cache; or pretrains it on the public texts.</summary>
    public static IPolicy Create(RunSettings settings, IReadOnlyList<string> publicTexts, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var device = TorchDevices.Parse(settings.Policy.Device);
        var checkpoint = settings.Policy.Checkpoint;
        var model = checkpoint.Given
            ? RunCheckpoints.Opened("policy", () => PolicyModel.Open(SettingsOf(settings), checkpoint.Directory, RunCheckpoints.Loading(checkpoint), device, checkpoint.Sha256))
            : PolicyModel.LoadOrPretrain(SettingsOf(settings), publicTexts, device, cacheFolder: null, new Relay(progress), ct);
        model.TuneOn([.. settings.Policy.TuningDevices.Select(TorchDevices.Parse)]);
        return new TorchPolicy(model);
    }

    public void LoadAdapter(string? directory)
    {
        if (directory is null)
            _model.ResetAdapter();
        else
            _model.LoadAdapter(directory);
    }

    public IReadOnlyList<CandidateText> Generate(
        IReadOnlyList<IReadOnlyList<string>> prompts, int samplesPerPrompt, ulong seed, Action<long, long, string> progress, CancellationToken ct) =>
        [.. _model.Generate(prompts, samplesPerPrompt, seed, Relay.Stageless(progress), ct).Select(Of)];

    public IReadOnlyList<CandidateText> Vary(
        IReadOnlyList<TextVariation> variations, ulong seed, Action<long, long, string> progress, CancellationToken ct) =>
        [.. _model.Vary([.. variations.Select(v => new Variation(v.Examples, Of(v.Parent), v.Keep))], seed, Relay.Stageless(progress), ct).Select(Of)];

    public TuningSummary FineTune(
        IReadOnlyList<CandidateText> texts, double learningRate, int epochs, ulong seed, Action<long, long, string> progress, CancellationToken ct)
    {
        var summary = _model.FineTune([.. texts.Select(Of)], learningRate, epochs, seed, Relay.Stageless(progress), ct);
        return new TuningSummary(summary.Steps, summary.FirstLoss, summary.LastLoss, 0);
    }

    public TuningSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> prompts, IReadOnlyList<CandidateText> candidates, int samplesPerPrompt,
        ImmutableArray<PreferencePair> pairs, ulong seed, Action<long, long, string> progress, CancellationToken ct)
    {
        var summary = _model.Tune(
            prompts,
            [.. candidates.Select(Of)],
            samplesPerPrompt,
            [.. pairs.Select(p => (p.Prompt, p.Chosen, p.Rejected))],
            seed,
            Relay.Stageless(progress),
            ct);
        return new TuningSummary(summary.Steps, summary.FirstLoss, summary.LastLoss, summary.RewardAccuracy);
    }

    public string SaveAdapter(string directory)
    {
        _model.SaveAdapter(directory);
        using var weights = File.OpenRead(Path.Combine(directory, "adapter_model.safetensors"));
        return Convert.ToHexStringLower(SHA256.HashData(weights));
    }

    public void Dispose() => _model.Dispose();

    private static CandidateText Of(Candidate c) => new(c.Text, c.Tokens, c.Ended);

    private static Candidate Of(CandidateText c) => new(c.Text, c.Tokens, c.Ended);

    private static PolicySettings SettingsOf(RunSettings settings)
    {
        var policy = settings.Policy;
        var seed = Seeds.Derive(settings.Seed, "policy", 0);
        return new PolicySettings
        {
            VocabularySize = policy.Vocabulary,
            HiddenSize = policy.Model.Hidden,
            IntermediateSize = policy.Model.Intermediate,
            Layers = policy.Model.Layers,
            Heads = policy.Model.Heads,
            KeyValueHeads = policy.Model.KeyValueHeads,
            MaxLength = policy.Context,
            Pretraining = new LanguageModelTrainingSettings
            {
                Steps = policy.Pretraining.Steps,
                BatchSize = policy.Pretraining.BatchSize,
                SequenceLength = policy.Context,
                LearningRate = policy.Pretraining.LearningRate,
                WarmUpSteps = policy.Pretraining.WarmUpSteps,
                WeightDecay = policy.Pretraining.WeightDecay,
                MaxGradientNorm = policy.Pretraining.MaxGradientNorm,
                Seed = seed,
            },
            Lora = new LoraSettings { Rank = policy.LoraRank, Alpha = policy.LoraAlpha, Dropout = policy.LoraDropout },
            Sampling = new SamplingSettings { Temperature = policy.Temperature, TopP = policy.TopP, TopK = policy.TopK, MaxNewTokens = policy.TextTokens },
            Dpo = new DpoSettings
            {
                Loss = policy.Dpo.Loss == "ipo" ? PreferenceLoss.Ipo : PreferenceLoss.Dpo,
                Beta = policy.Dpo.Beta,
                LabelSmoothing = policy.Dpo.LabelSmoothing,
                LearningRate = policy.Dpo.LearningRate,
                Epochs = policy.Dpo.Epochs,
                BatchSize = policy.Dpo.BatchSize,
                GradientAccumulation = policy.Dpo.GradientAccumulation,
                WarmUpSteps = policy.Dpo.WarmUpSteps,
                MaxGradientNorm = policy.Dpo.MaxGradientNorm,
                MaxPromptTokens = policy.Context,
            },
            GenerationBatch = policy.SamplingBatch,
            PromptTokens = policy.Context - policy.TextTokens,
            MaxTextTokens = policy.TextTokens,
            Seed = seed,
        };
    }

    private sealed class Relay(Action<string, long, long, string> progress) : IProgress<PolicyProgress>
    {
        public static Relay Stageless(Action<long, long, string> progress) => new((_, done, total, detail) => progress(done, total, detail));

        public void Report(PolicyProgress value) => progress(value.Stage, value.Done, value.Total, value.Detail);
    }
}
