using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Tokenizers;
using TorchSharp;

namespace Chorus.Actors.Runs;

/// <summary>The checkpoints that a run's policy and downstream model start from.</summary>
public static class RunCheckpoints
{
    /// <summary>Writes into the settings of a new run what its checkpoints hash to, so that a resumed run finds out when they are others.</summary>
    /// <exception cref="SettingsException">A checkpoint is not there, not supported, or another one than the settings pin.</exception>
    public static RunSettings Resolve(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        Check(settings);
        foreach (var (at, checkpoint) in Of(settings))
            settings = settings.With(($"{at}.checkpoint", checkpoint.Directory), ($"{at}.sha256", checkpoint.Sha256 ?? Opened(at, () => CausalCheckpoint.Sha256(checkpoint.Directory))));
        return settings;
    }

    /// <summary>Looks whether the checkpoints are there, are supported, reach far enough and are those that the settings pin.</summary>
    /// <exception cref="SettingsException">One is not.</exception>
    public static void Check(RunSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        foreach (var (at, checkpoint) in Of(settings))
        {
            Opened(at, () =>
            {
                var shape = CausalCheckpoint.ReadShape(checkpoint.Directory);
                var (key, length) = at == "policy" ? ("policy.model.context", settings.Policy.Context) : ("policy.text-tokens", settings.Policy.TextTokens);
                if (length > shape.MaxLength)
                    throw new SettingsException($"chorus.{key} must be at most {shape.MaxLength}, the longest sequence of {checkpoint.Directory}, got \"{length}\"");
                EndToken(at, checkpoint, PretrainedTokenizer.Load(checkpoint.Directory));
                if (checkpoint.Sha256 is { } wanted && CausalCheckpoint.Sha256(checkpoint.Directory) is var found && found != wanted)
                    throw new SettingsException($"chorus.{at}.checkpoint: {checkpoint.Directory} is not the checkpoint of this run (sha256 {found}, wanted {wanted}): put that one back, or start another run");
                return true;
            });
        }
    }

    /// <summary>The type that a checkpoint's weights are loaded as.</summary>
    internal static CheckpointLoading Loading(ModelCheckpoint checkpoint) => new()
    {
        Type = checkpoint.Type switch
        {
            "bfloat16" => torch.ScalarType.BFloat16,
            "float16" => torch.ScalarType.Float16,
            "float32" => torch.ScalarType.Float32,
            _ => null,
        },
    };

    /// <summary>The id that ends a text, by the model's own configuration or its tokenizer's.</summary>
    internal static int EndToken(string at, ModelCheckpoint checkpoint, ITokenizer tokenizer) =>
        CausalCheckpoint.EndTokens(checkpoint.Directory) is [var end, ..] ? end
        : tokenizer.EndOfText ?? throw new SettingsException($"chorus.{at}.checkpoint: {checkpoint.Directory}: neither config.json nor the tokenizer names an end of text (eos_token_id)");

    /// <summary>Opens something of a checkpoint; what is wrong with it is told with the key.</summary>
    internal static T Opened<T>(string at, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (e is InvalidDataException or FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SettingsException($"chorus.{at}.checkpoint: {e.Message}");
        }
    }

    private static IEnumerable<(string At, ModelCheckpoint Checkpoint)> Of(RunSettings settings)
    {
        if (settings.Policy.Checkpoint.Given)
            yield return ("policy", settings.Policy.Checkpoint);
        if (settings.Evaluation.Downstream && settings.Evaluation.Checkpoint.Given)
            yield return ("downstream", settings.Evaluation.Checkpoint);
    }
}
