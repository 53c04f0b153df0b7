using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tokenizers;
using Chorus.Gpu.Training;
using TorchSharp;

namespace Chorus.Gpu.Policy;

/// <summary>Makes a policy's tokenizer and base model out of public texts.</summary>
internal static class PolicyPretraining
{
    public const string TokenizerFile = "tokenizer.json";
    public const string WeightsFile = "model.safetensors";

    // Raised whenever equal inputs come to give other bytes, so that no stale entry is taken from a cache.
    private const string Version = "chorus-policy-1";
    private const int WeightsPurpose = 0;
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals }; // infinity is a setting

    /// <summary>A hash of all that decides the base model's bytes: sums differ between devices and thread counts, so these count too.</summary>
    public static string CacheKey(PolicySettings s, IReadOnlyList<string> publicTexts, torch.Device device) =>
        ContentCache.KeyOf([
            Version,
            JsonSerializer.Serialize(s.ModelConfig(s.VocabularySize), Json),
            JsonSerializer.Serialize(s.Pretraining, Json),
            string.Create(CultureInfo.InvariantCulture, $"{s.Seed} {device.type} {torch.get_num_threads()}"),
            .. publicTexts]);

    /// <summary>Trains tokenizer and model and writes them into <paramref name="folder"/>.</summary>
    public static void Write(PolicySettings s, IReadOnlyList<string> publicTexts, torch.Device device, string folder, IProgress<PolicyProgress>? p, CancellationToken ct)
    {
        p?.Report(new PolicyProgress("tokenizer", 0, 1, $"{publicTexts.Count} texts"));
        var tokenizer = ByteLevelBpeTokenizer.Train(publicTexts, s.VocabularySize, ct);
        p?.Report(new PolicyProgress("tokenizer", 1, 1, $"{tokenizer.VocabularySize} tokens"));

        var documents = publicTexts.Where(text => !string.IsNullOrWhiteSpace(text)).Select(text => Document(tokenizer, text, int.MaxValue)).ToArray();
        using var model = new LlamaModel(s.ModelConfig(tokenizer.VocabularySize), KeyedUniform.Derive(s.Seed, WeightsPurpose), device);
        var settings = s.Pretraining with { Seed = KeyedUniform.Bits(s.Pretraining.Seed, WeightsPurpose, (int)(s.Seed >> 32), (int)s.Seed) };
        LanguageModelTrainer.Train(model, documents, settings, Relay.Of<TrainingProgress>(p, progress => new PolicyProgress(
            "pretrain", progress.Step, progress.Steps, string.Create(CultureInfo.InvariantCulture, $"loss {progress.Loss:F3}, {progress.TokensPerSecond:F0} tokens/s"))), ct);
        tokenizer.Save(Path.Combine(folder, TokenizerFile));
        CausalCheckpoint.Save(model, folder, tokenizer.EndOfText);
    }

    /// <summary>A text as the model meets it: its first tokens and the end token.</summary>
    public static int[] Document(ByteLevelBpeTokenizer tokenizer, string text, int maxTextTokens) =>
        [.. tokenizer.Encode(text).Take(maxTextTokens), tokenizer.EndOfText];
}

/// <summary>Hands one kind of progress on as another, on the thread that reports it (Progress of .NET would use another thread).</summary>
internal static class Relay
{
    public static IProgress<T>? Of<T>(IProgress<PolicyProgress>? target, Func<T, PolicyProgress> translate) =>
        target is null ? null : new Translated<T>(target, translate);

    private sealed class Translated<T>(IProgress<PolicyProgress> target, Func<T, PolicyProgress> translate) : IProgress<T>
    {
        public void Report(T value) => target.Report(translate(value));
    }
}
