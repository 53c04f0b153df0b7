using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Actors.Training;
using Chorus.Gpu.DpSgd;
using TorchSharp;

namespace Chorus.Cli.Commands.Train;

/// <summary>The options of <c>chorus train</c> that say how it is trained.</summary>
internal sealed class TrainOptions
{
    private readonly Option<string> _method = Choice("--dp", "How clipped gradients are made: fused into the backward pass, by one of three reference methods, or none (no privacy).", "fused", "explicit", "ghost", "bookkeeping", "none");
    private readonly Option<int> _batch = new("--batch") { Description = "Examples computed at once.", DefaultValueFactory = _ => 8, HelpName = "B" };
    private readonly Option<int?> _logicalBatch = new("--logical-batch") { Description = "Examples expected in a step, which their sum is divided by. Default: --batch.", HelpName = "N" };
    private readonly Option<int> _time = new("--seq") { Description = "Longest sequence, in targets; the rest of an example is cut off.", DefaultValueFactory = _ => 128, HelpName = "T" };
    private readonly Option<int> _steps = new("--steps") { Description = "Steps of the whole run.", DefaultValueFactory = _ => 20, HelpName = "N" };
    private readonly Option<double?> _noise = new("--noise-multiplier") { Description = "Noise standard deviation over the clipping threshold.", HelpName = "S" };
    private readonly Option<double?> _epsilon = new("--epsilon") { Description = "In place of it: the noise with which all steps cost this much.", HelpName = "E" };
    private readonly Option<double> _delta = new("--delta") { Description = "The delta that epsilon is stated at.", DefaultValueFactory = _ => 1e-5 };
    private readonly Option<double> _clip = new("--clip") { Description = "C: the most that one example moves the sum of gradients.", DefaultValueFactory = _ => 1, HelpName = "C" };
    private readonly Option<string> _clipping = Choice("--clipping", "Each layer to its own threshold, the whole gradient to one, or each layer scaled to its threshold.", "per-layer", "flat", "auto-s");
    private readonly Option<string> _thresholds = Choice("--thresholds", "How C is divided among layers; adaptive follows privately estimated quantiles.", "equal", "dimension", "adaptive");
    private readonly Option<double> _quantileNoise = new("--quantile-noise-multiplier") { Description = "Adaptive thresholds: noise on the counts over their sensitivity; part of every step's charge.", DefaultValueFactory = _ => 10 };
    private readonly Option<string> _sampling = Choice("--sampling", "How a step's examples are drawn.", "poisson", "fixed");
    private readonly Option<string> _loss = Choice("--loss", "An example's loss: the mean over its own tokens, or their sum.", "mean", "sum");
    private readonly Option<string> _optimizer = Choice("--optimizer", "The optimizer.", "sgd", "adamw");
    private readonly Option<double?> _rate = new("--learning-rate", "--lr") { Description = "Constant. Default: 0.1 for SGD, 1e-3 for AdamW." };
    private readonly Option<double> _momentum = new("--momentum") { Description = "Of SGD.", DefaultValueFactory = _ => 0 };
    private readonly Option<double> _decay = new("--weight-decay") { Description = "Of matrices.", DefaultValueFactory = _ => 0 };
    private readonly Option<string> _norm = Choice("--norm", "How a linear layer's per-sample norms are found: by counted cost, or by one way wherever it can be.", "auto", "gram", "direct", "kept");
    private readonly Option<string> _recording = Choice("--recording", "Repeat full micro-batches as a recorded CUDA graph: where the host would hold them up, wherever it can be done, or never.", "auto", "on", "off");
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Repeats a run: random weights, draws and noise follow from it, so it protects nobody. Without it they are secret." };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[]
        {
            _method, _batch, _logicalBatch, _time, _steps, _noise, _epsilon, _delta, _clip, _clipping, _thresholds, _quantileNoise, _sampling, _loss, _optimizer, _rate, _momentum, _decay, _norm, _recording, _seed,
        })
            command.Options.Add(option);
    }

    public int Steps(ParseResult parsed) => parsed.GetValue(_steps) is var steps and >= 1 ? steps : throw new SettingsException($"--steps must be at least 1, got {parsed.GetValue(_steps)}");

    public double Delta(ParseResult parsed) => parsed.GetValue(_delta) is var delta and > 0 and < 1 ? delta : throw new SettingsException($"--delta must be in (0, 1), got {parsed.GetValue(_delta)}");

    public int SequenceLength(ParseResult parsed) => parsed.GetValue(_time) is var time and >= 1 ? time : throw new SettingsException($"--seq must be at least 1, got {parsed.GetValue(_time)}");

    public int LogicalBatch(ParseResult parsed) => parsed.GetValue(_logicalBatch) ?? parsed.GetValue(_batch);

    public ulong? Seed(ParseResult parsed) => parsed.GetValue(_seed);

    /// <summary>The settings, with the noise that <c>--epsilon</c> asks for.</summary>
    /// <exception cref="SettingsException">Options that do not fit together.</exception>
    public DpSgdSettings Read(ParseResult parsed, int examples)
    {
        var method = parsed.GetValue(_method) switch
        {
            "explicit" => DpMethod.Explicit,
            "ghost" => DpMethod.Ghost,
            "bookkeeping" => DpMethod.BookKeeping,
            "none" => DpMethod.None,
            _ => DpMethod.Fused,
        };
        var optimizer = parsed.GetValue(_optimizer) == "adamw" ? DpOptimizer.AdamW : DpOptimizer.Sgd;
        var settings = new DpSgdSettings
        {
            Method = method,
            Clipping = new ClippingSettings
            {
                Kind = parsed.GetValue(_clipping) switch { "flat" => ClippingKind.Flat, "auto-s" => ClippingKind.AutoS, _ => ClippingKind.PerLayer },
                Threshold = parsed.GetValue(_clip),
                Thresholds = parsed.GetValue(_thresholds) switch { "dimension" => ThresholdChoice.ByDimension, "adaptive" => ThresholdChoice.Adaptive, _ => ThresholdChoice.Equal },
                QuantileNoiseMultiplier = parsed.GetValue(_quantileNoise),
                NormMethod = Enum.Parse<NormMethod>(parsed.GetValue(_norm)!, ignoreCase: true),
            },
            Sampling = parsed.GetValue(_sampling) == "fixed" ? ExampleSampling.FixedSize : ExampleSampling.Poisson,
            LogicalBatch = LogicalBatch(parsed),
            PhysicalBatch = parsed.GetValue(_batch),
            SequenceLength = SequenceLength(parsed),
            Recording = Enum.Parse<StepRecording>(parsed.GetValue(_recording)!, ignoreCase: true),
            Loss = parsed.GetValue(_loss) == "sum" ? SampleLossKind.Sum : SampleLossKind.Mean,
            Optimizer = optimizer,
            LearningRate = parsed.GetValue(_rate) ?? (optimizer == DpOptimizer.AdamW ? 1e-3 : 0.1),
            Momentum = parsed.GetValue(_momentum),
            WeightDecay = parsed.GetValue(_decay),
            Seed = parsed.GetValue(_seed),
        };
        settings.Validate(examples);
        return (method, parsed.GetValue(_noise), parsed.GetValue(_epsilon)) switch
        {
            (DpMethod.None, null, null) => settings,
            (DpMethod.None, _, _) => throw new SettingsException("--dp none trains without privacy: leave --noise-multiplier and --epsilon out"),
            (_, { } noise, null) => noise > 0 ? settings with { NoiseMultiplier = noise } : throw new SettingsException($"--noise-multiplier must be above 0, got {noise}; --dp none trains without noise"),
            (_, null, { } epsilon) => settings with { NoiseMultiplier = DpSgdPrivacy.NoiseMultiplier(settings, examples, epsilon, Delta(parsed), Steps(parsed)) },
            _ => throw new SettingsException("give the noise by one of --noise-multiplier and --epsilon; --dp none trains without privacy"),
        };
    }

    internal static Option<string> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => values[0] };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    internal static torch.ScalarType TypeOf(string name) => name switch { "bfloat16" => torch.ScalarType.BFloat16, "float64" => torch.ScalarType.Float64, _ => torch.ScalarType.Float32 };
}
