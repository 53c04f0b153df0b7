using Chorus.Gpu.Models;

namespace Chorus.Actors.Settings;

/// <summary>The shape of a Llama-architecture model.</summary>
public sealed record ModelShape(int Hidden, int Intermediate, int Layers, int Heads, int KeyValueHeads)
{
    /// <param name="vocabulary">Entries of the tokenizer.</param>
    /// <param name="maxLength">Longest context in tokens.</param>
    public LlamaConfig ToLlama(int vocabulary, int maxLength) => new()
    {
        VocabularySize = vocabulary,
        HiddenSize = Hidden,
        IntermediateSize = Intermediate,
        Layers = Layers,
        Heads = Heads,
        KeyValueHeads = KeyValueHeads,
        HeadSize = Hidden / Heads,
        TieEmbeddings = true,
        MaxLength = maxLength,
    };

    internal static ModelShape From(SettingsReader read, string at)
    {
        var shape = new ModelShape(
            read.Int($"{at}.hidden", 8, 65_536),
            read.Int($"{at}.intermediate", 8, 262_144),
            read.Int($"{at}.layers", 1, 512),
            read.Int($"{at}.heads", 1, 1024),
            read.Int($"{at}.key-value-heads", 1, 1024));
        if (shape.Hidden % shape.Heads != 0 || shape.Hidden / shape.Heads % 2 != 0)
            throw read.Wrong($"{at}.heads", $"a divisor of {at}.hidden = {shape.Hidden} that leaves an even head size");
        if (shape.Heads % shape.KeyValueHeads != 0)
            throw read.Wrong($"{at}.key-value-heads", $"a divisor of {at}.heads = {shape.Heads}");
        return shape;
    }
}

/// <summary>A checkpoint that a model of the run starts from.</summary>
/// <param name="Directory">In Hugging Face layout; empty for none.</param>
/// <param name="Type">float32, bfloat16, float16 or auto.</param>
/// <param name="Sha256">What its files must hash to; null is anything, until the run is prepared.</param>
public sealed record ModelCheckpoint(string Directory, string Type, string? Sha256)
{
    /// <summary>Whether there is one.</summary>
    public bool Given => Directory.Length > 0;

    internal static ModelCheckpoint From(SettingsReader read, string at)
    {
        var directory = read.Text($"{at}.checkpoint");
        var sha256 = read.Text($"{at}.sha256");
        if (sha256 != "auto" && !(sha256.Length == 64 && sha256.All(char.IsAsciiHexDigitLower)))
            throw read.Wrong($"{at}.sha256", "auto or 64 hexadecimal digits in lower case");
        return new ModelCheckpoint(
            directory.Length == 0 ? "" : Path.GetFullPath(directory), read.OneOf($"{at}.dtype", "float32", "bfloat16", "float16", "auto"), sha256 == "auto" ? null : sha256);
    }
}

/// <summary>How the policy is pretrained on the public set.</summary>
public sealed record PretrainingRunSettings(
    int Steps, int BatchSize, double LearningRate, int WarmUpSteps, double WeightDecay, double MaxGradientNorm);

/// <summary>How the policy is tuned on a round's preference pairs.</summary>
/// <param name="Loss">dpo or ipo.</param>
public sealed record DpoRunSettings(
    string Loss, double Beta, double LabelSmoothing, double LearningRate, int Epochs, int BatchSize, int GradientAccumulation, int WarmUpSteps, double MaxGradientNorm);

/// <summary>The policy: its model, how it is pretrained, how it writes, how it is tuned.</summary>
public sealed record PolicyRunSettings
{
    public required string Device { get; init; }

    /// <summary>Devices that the policy is tuned on, and the downstream model trained, together with <see cref="Device"/>.</summary>
    public required IReadOnlyList<string> TuningDevices { get; init; }

    public required int Threads { get; init; }

    public required int TextTokens { get; init; }

    public required ModelCheckpoint Checkpoint { get; init; }

    public required int Vocabulary { get; init; }

    public required ModelShape Model { get; init; }

    public required int Context { get; init; }

    public required PretrainingRunSettings Pretraining { get; init; }

    public required int LoraRank { get; init; }

    public required double LoraAlpha { get; init; }

    public required double LoraDropout { get; init; }

    public required double Temperature { get; init; }

    public required double TopP { get; init; }

    public required int TopK { get; init; }

    public required int SamplingBatch { get; init; }

    public required DpoRunSettings Dpo { get; init; }

    internal static PolicyRunSettings From(SettingsReader read, PopriSettings popri)
    {
        var textTokens = read.Int("policy.text-tokens", 4, 8192);
        var context = read.Int("policy.model.context", 8, 131_072);
        var needed = (popri.Shots * (textTokens + 1)) + textTokens;
        if (context < needed)
            throw read.Wrong("policy.model.context", $"at least {needed}: popri.shots x (policy.text-tokens + 1) + policy.text-tokens");
        return new PolicyRunSettings
        {
            Device = read.Text("policy.device"),
            TuningDevices = read.Text("policy.tuning-devices").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            Threads = read.Int("policy.threads", 0, 1024),
            TextTokens = textTokens,
            Checkpoint = ModelCheckpoint.From(read, "policy"),
            Vocabulary = read.Int("policy.model.vocabulary", 300, 1_000_000),
            Model = ModelShape.From(read, "policy.model"),
            Context = context,
            Pretraining = new PretrainingRunSettings(
                read.Int("policy.pretraining.steps", 1),
                read.Int("policy.pretraining.batch-size", 1, 65_536),
                read.Above("policy.pretraining.learning-rate", 0, 1),
                read.Int("policy.pretraining.warm-up-steps", 0),
                read.From("policy.pretraining.weight-decay", 0, 1),
                read.Above("policy.pretraining.max-gradient-norm", 0)),
            LoraRank = read.Int("policy.lora.rank", 1, 1024),
            LoraAlpha = read.Above("policy.lora.alpha", 0, 65_536),
            LoraDropout = read.From("policy.lora.dropout", 0, 0.99),
            Temperature = read.Above("policy.sampling.temperature", 0, 10),
            TopP = read.Above("policy.sampling.top-p", 0, 1),
            TopK = read.Int("policy.sampling.top-k", 0),
            SamplingBatch = read.Int("policy.sampling.batch-size", 1, 65_536),
            Dpo = new DpoRunSettings(
                read.OneOf("policy.dpo.loss", "dpo", "ipo"),
                read.Above("policy.dpo.beta", 0, 100),
                read.From("policy.dpo.label-smoothing", 0, 0.5),
                read.Above("policy.dpo.learning-rate", 0, 1),
                read.Int("policy.dpo.epochs", 1, 1000),
                read.Int("policy.dpo.batch-size", 1, 65_536),
                read.Int("policy.dpo.gradient-accumulation", 1, 65_536),
                read.Int("policy.dpo.warm-up-steps", 0),
                read.Above("policy.dpo.max-gradient-norm", 0)),
        };
    }
}

/// <summary>The downstream model that shows what the synthetic data is worth.</summary>
public sealed record EvaluationSettings(
    bool Distances, bool TextMeasures, int CopiedWords, int Topics, bool Downstream, bool Ceiling, ModelCheckpoint Checkpoint, ModelShape Model, int BatchSize, double LearningRate, double FurtherLearningRate, int Texts, int PublicTexts, int FloorEpochs, int Epochs, int Patience,
    double ValidationShare)
{
    internal static EvaluationSettings From(SettingsReader read) => new(
        read.Flag("evaluation.distances"),
        read.Flag("evaluation.text-measures"),
        read.Int("evaluation.copied-words", 1, 1000),
        read.Int("evaluation.topics", 0, 100),
        read.Flag("evaluation.downstream"),
        read.Flag("evaluation.ceiling"),
        ModelCheckpoint.From(read, "downstream"),
        ModelShape.From(read, "evaluation.model"),
        read.Int("evaluation.batch-size", 1, 65_536),
        read.Above("evaluation.learning-rate", 0, 1),
        read.Above("evaluation.further-learning-rate", 0, 1),
        read.Int("evaluation.texts", 0),
        read.Int("evaluation.public-texts", 0),
        read.Int("evaluation.floor-epochs", 1, 1000),
        read.Int("evaluation.epochs", 1, 1000),
        read.Int("evaluation.patience", 1, 1000),
        read.Above("evaluation.validation-share", 0, 0.5));
}
