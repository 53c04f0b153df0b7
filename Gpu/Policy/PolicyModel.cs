using System.Collections.Immutable;
using System.Security.Cryptography;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Dpo;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tokenizers;
using TorchSharp;

namespace Chorus.Gpu.Policy;

/// <summary>A text that the policy wrote.</summary>
/// <param name="Text">Decoded, without end token.</param>
/// <param name="Tokens">As sampled, with the end token when <paramref name="Ended"/>: encoding the text again may give others.</param>
/// <param name="Ended">Whether the policy ended it itself.</param>
public sealed record Candidate(string Text, ImmutableArray<int> Tokens, bool Ended);

/// <summary>The language model of a run: a base model that knows public texts only, and the adapter that the rounds tune.</summary>
/// <remarks>
/// A few-shot prompt is public texts with an end token behind each, as the base model met them in pretraining; what it writes
/// next, up to its own end token, is a new text. Synchronous: all calls come from one device's thread. The reference policy
/// of every tuning is the base model.
/// </remarks>
public sealed class PolicyModel : IDisposable
{
    private const int AdapterPurpose = 1;

    private readonly PolicySettings _settings;
    private readonly CausalModel _model;
    private readonly LoraAdapter _adapter;

    private PolicyModel(PolicySettings settings, string directory, bool fromCache, torch.Device device)
    {
        _settings = settings;
        FromCache = fromCache;
        Tokenizer = ByteLevelBpeTokenizer.Load(Path.Combine(directory, PolicyPretraining.TokenizerFile));
        _model = CausalCheckpoint.Load(directory, device);
        _adapter = LoraAdapter.Attach(_model, settings.Lora, AdapterSeed);
        using var weights = File.OpenRead(Path.Combine(directory, PolicyPretraining.WeightsFile));
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(weights));
    }

    public ByteLevelBpeTokenizer Tokenizer { get; }

    /// <summary>Of the base model's weights file, lower-case hex.</summary>
    public string Sha256 { get; }

    /// <summary>Whether the base model was found ready, not pretrained now.</summary>
    public bool FromCache { get; }

    /// <summary>Weights of the base model.</summary>
    public long ParameterCount => _model.Shape.ParameterCount;

    private ulong AdapterSeed => KeyedUniform.Derive(_settings.Seed, AdapterPurpose);

    /// <summary>The base model for these settings and texts: from the cache, or pretrained now and kept there; with a fresh adapter.</summary>
    /// <param name="s">Sampling and tuning may differ between runs that share a cached base model.</param>
    /// <param name="publicTexts">What tokenizer and base model learn; at least one that is not empty.</param>
    /// <param name="device">Where the model lives.</param>
    /// <param name="cacheFolder">Null is the user's cache.</param>
    /// <param name="p">Told of the stages tokenizer and pretrain.</param>
    /// <param name="ct">Ends pretraining between two steps; nothing is kept then.</param>
    /// <exception cref="ArgumentException">Settings that do not fit together, or no text.</exception>
    public static PolicyModel LoadOrPretrain(
        PolicySettings s, IReadOnlyList<string> publicTexts, torch.Device device, string? cacheFolder, IProgress<PolicyProgress>? p, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(s);
        ArgumentNullException.ThrowIfNull(publicTexts);
        ArgumentNullException.ThrowIfNull(device);
        s.Validate();
        if (publicTexts.All(string.IsNullOrWhiteSpace))
            throw new ArgumentException($"publicTexts must have a text that is not empty, got {publicTexts.Count} empty ones", nameof(publicTexts));
        var cache = cacheFolder is null ? ContentCache.OfUser() : new ContentCache(cacheFolder);
        bool fromCache = true;
        string directory = cache.GetOrCreate(PolicyPretraining.CacheKey(s, publicTexts, device), folder =>
        {
            fromCache = false;
            PolicyPretraining.Write(s, publicTexts, device, folder, p, ct);
        });
        return new PolicyModel(s, directory, fromCache, device);
    }

    /// <summary>Writes new texts. Result i is sample i % samplesPerPrompt of prompt i / samplesPerPrompt.</summary>
    /// <param name="fewShotPrompts">For each prompt its example texts; none makes the model start from an end token alone.</param>
    /// <param name="samplesPerPrompt">At least 1.</param>
    /// <param name="seed">Text i depends on it, its prompt and its place only, whatever it is batched with.</param>
    /// <param name="p">Told of the stage generate, in tokens.</param>
    /// <param name="ct">Looked at before every token.</param>
    public IReadOnlyList<Candidate> Generate(
        IReadOnlyList<IReadOnlyList<string>> fewShotPrompts, int samplesPerPrompt, ulong seed, IProgress<PolicyProgress>? p, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(fewShotPrompts);
        var prompts = fewShotPrompts.Select(PromptTokens).ToArray();
        int most = prompts.Length * samplesPerPrompt * _settings.Sampling.MaxNewTokens;
        var completions = new TextGenerator(_model, Tokenizer.EndOfText).Generate(
            prompts, samplesPerPrompt, _settings.Sampling, seed, _settings.GenerationBatch,
            Relay.Of<int>(p, tokens => new PolicyProgress("generate", tokens, most, $"{tokens} tokens")), ct);
        return [.. completions.Select(c => new Candidate(Tokenizer.Decode(c.Tokens.AsSpan()), c.Tokens, c.Ended))];
    }

    /// <summary>Tunes the adapter to preference pairs, from where it stands.</summary>
    /// <param name="fewShotPrompts">Those that the candidates were written for.</param>
    /// <param name="candidates">As <see cref="Generate"/> gave them.</param>
    /// <param name="samplesPerPrompt">As in <see cref="Generate"/>.</param>
    /// <param name="pairs">Chosen and Rejected are indices into <paramref name="candidates"/>, both of that prompt.</param>
    /// <param name="seed">Of the order of pairs.</param>
    /// <param name="p">Told of the stage tune, in steps.</param>
    /// <param name="ct">Looked at before every step; what was learned until then stays.</param>
    /// <exception cref="ArgumentException">Candidates do not go with the prompts, or a pair's candidate is not of its prompt.</exception>
    public DpoSummary Tune(
        IReadOnlyList<IReadOnlyList<string>> fewShotPrompts, IReadOnlyList<Candidate> candidates, int samplesPerPrompt,
        IReadOnlyList<(int Prompt, int Chosen, int Rejected)> pairs, ulong seed, IProgress<PolicyProgress>? p, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(fewShotPrompts);
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(pairs);
        if (candidates.Count != (long)fewShotPrompts.Count * samplesPerPrompt)
            throw new ArgumentException($"candidates must be prompts x samplesPerPrompt = {fewShotPrompts.Count} x {samplesPerPrompt}, got {candidates.Count}", nameof(candidates));
        int[] Tokens(int prompt, int candidate) => candidate >= 0 && candidate < candidates.Count && candidate / samplesPerPrompt == prompt
            ? [.. candidates[candidate].Tokens]
            : throw new ArgumentException($"a pair of prompt {prompt} must name candidates {prompt * samplesPerPrompt} to {(prompt + 1) * samplesPerPrompt - 1}, got {candidate}", nameof(pairs));
        var tokenPairs = pairs
            .Select(pair => (Chosen: Tokens(pair.Prompt, pair.Chosen), Rejected: Tokens(pair.Prompt, pair.Rejected), pair.Prompt))
            .Select(pair => new TokenPair(PromptTokens(fewShotPrompts[pair.Prompt]), pair.Chosen, pair.Rejected))
            .ToArray();
        int total = (tokenPairs.Length + _settings.Dpo.BatchSize - 1) / _settings.Dpo.BatchSize * _settings.Dpo.Epochs;
        return new DpoTrainer(_model, _adapter, Tokenizer.EndOfText).Train(
            tokenPairs, _settings.Dpo, seed, Relay.Of<int>(p, step => new PolicyProgress("tune", step, total, "")), ct);
    }

    /// <summary>Writes the adapter in PEFT's layout; the folder is made where it is missing.</summary>
    public void SaveAdapter(string directory) => _adapter.Save(directory);

    /// <summary>Takes over a saved adapter of the same settings.</summary>
    public void LoadAdapter(string directory) => _adapter.Load(directory);

    /// <summary>Back to the fresh adapter, with which the policy is the base model.</summary>
    public void ResetAdapter() => _adapter.Reset(AdapterSeed);

    public void Dispose()
    {
        _adapter.Dispose();
        _model.Dispose();
    }

    private int[] PromptTokens(IReadOnlyList<string> examples)
    {
        var tokens = new List<int>();
        foreach (string text in examples)
            tokens.AddRange(PolicyPretraining.Document(Tokenizer, text, _settings.MaxTextTokens));
        if (tokens.Count == 0)
            tokens.Add(Tokenizer.EndOfText);
        return [.. tokens.Skip(tokens.Count - _settings.PromptTokens)];
    }
}
