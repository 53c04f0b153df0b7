using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Dpo;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tokenizers;
using Chorus.Gpu.Training;
using TorchSharp;

namespace Chorus.Gpu.Policy;

/// <summary>A text that the policy wrote.</summary>
/// <param name="Text">Decoded, without end token.</param>
/// <param name="Tokens">As sampled, with the end token or separator when <paramref name="Ended"/>: encoding the text again may give others.</param>
/// <param name="Ended">Whether the policy ended it itself.</param>
public sealed record Candidate(string Text, ImmutableArray<int> Tokens, bool Ended);

/// <summary>A text that is to begin as another does.</summary>
/// <param name="Examples">Texts shown before it; may be none.</param>
/// <param name="Parent">The text that it begins as.</param>
/// <param name="Keep">The share of the parent's tokens that it begins with, in [0, 1); rounded down, without an end.</param>
public sealed record Variation(IReadOnlyList<string> Examples, Candidate Parent, double Keep)
{
    /// <summary>The tokens that are kept: fewer than there may be.</summary>
    internal int[] Kept(int below)
    {
        int length = Parent.Tokens.Length - (Parent.Ended ? 1 : 0);
        return [.. Parent.Tokens.Take(Math.Clamp((int)(length * Keep), 0, below - 1))];
    }
}

/// <summary>The language model of a run: a base model that knows public texts only, and the adapter that the rounds tune.</summary>
/// <remarks>
/// A few-shot prompt is public texts, each with what ends a text behind it (<see cref="PolicyFormat"/>); what the model writes
/// next, up to such an end of its own, is a new text. Synchronous: all calls come from one device's thread. The reference policy
/// of every tuning is the base model.
/// </remarks>
public sealed class PolicyModel : IDisposable
{
    private const int AdapterPurpose = 1;

    private readonly PolicySettings _settings;
    private readonly CausalModel _model;
    private readonly LoraAdapter _adapter;

    private readonly PolicyFormat _format;
    private readonly Func<torch.Device, CausalModel> _load;
    private readonly List<(CausalModel Model, LoraAdapter Adapter)> _others = [];

    private PolicyModel(PolicySettings settings, CausalModel model, Func<torch.Device, CausalModel> load, PolicyFormat format, string sha256, bool fromCache)
    {
        (_settings, _model, _load, _format) = (settings, model, load, format);
        (Sha256, FromCache) = (sha256, fromCache);
        _adapter = LoraAdapter.Attach(model, settings.Lora, AdapterSeed);
    }

    /// <summary>Of the base model's weights file, or of a checkpoint's files; lower-case hex.</summary>
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
        using var weights = File.OpenRead(Path.Combine(directory, PolicyPretraining.WeightsFile));
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(weights));
        var tokenizer = ByteLevelBpeTokenizer.Load(Path.Combine(directory, PolicyPretraining.TokenizerFile));
        return new PolicyModel(s, CausalCheckpoint.Load(directory, device), d => CausalCheckpoint.Load(directory, d), PolicyFormat.OfPretrained(tokenizer), sha256, fromCache);
    }

    /// <summary>A checkpoint as the base model, with its own tokenizer and a fresh adapter on all its linear layers but the head.</summary>
    /// <param name="s">Its shape and pretraining play no part.</param>
    /// <param name="directory">A Llama or GPT-2 model in Hugging Face layout.</param>
    /// <param name="loading">Type of the weights; the adapter is float32 beside half-precision ones.</param>
    /// <param name="device">Where the model lives.</param>
    /// <param name="sha256">Of the checkpoint's files, as <see cref="CausalCheckpoint.Sha256"/> gives it, where the caller knows it already.</param>
    /// <exception cref="ArgumentException">Prompt and text are longer than the model reaches.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is not supported, or damaged.</exception>
    public static PolicyModel Open(PolicySettings s, string directory, CheckpointLoading loading, torch.Device device, string? sha256 = null)
    {
        ArgumentNullException.ThrowIfNull(s);
        var shape = CausalCheckpoint.ReadShape(directory);
        if (s.PromptTokens + s.Sampling.MaxNewTokens > shape.MaxLength)
            throw new ArgumentException($"PromptTokens + Sampling.MaxNewTokens must be at most {shape.MaxLength}, the longest sequence of {directory}, got {s.PromptTokens} + {s.Sampling.MaxNewTokens}");
        var format = PolicyFormat.OfCheckpoint(directory);
        var settings = s with
        {
            Lora = s.Lora with { TargetPattern = LoraSettings.AllLinear },
            Sampling = s.Sampling with { StopStrings = [PolicyFormat.CheckpointSeparator] },
        };
        var model = CausalCheckpoint.Load(directory, device, loading);
        try
        {
            return new PolicyModel(settings, model, d => CausalCheckpoint.Load(directory, d, loading), format, sha256 ?? CausalCheckpoint.Sha256(directory), fromCache: true);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>From now on the policy is tuned on these devices too, together with its own: a copy of the base model goes to each. It writes on its own alone.</summary>
    public void TuneOn(IReadOnlyList<torch.Device> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        foreach (var device in devices)
        {
            var model = _load(device);
            _others.Add((model, LoraAdapter.Attach(model, _settings.Lora, AdapterSeed)));
        }
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
        var completions = new TextGenerator(_model, _format.EndTokens, tokens => _format.Decode(tokens)).Generate(
            prompts, samplesPerPrompt, _settings.Sampling, seed, _settings.GenerationBatch,
            Relay.Of<int>(p, tokens => new PolicyProgress("generate", tokens, most, $"{tokens} tokens")), ct);
        return [.. completions.Select(c => new Candidate(c.Cut(_format.Decode(c.Tokens.AsSpan())), c.Tokens, c.Ended || c.StoppedBy is not null))];
    }

    /// <summary>Writes texts that begin as given ones do. Result i is of variation i.</summary>
    /// <param name="variations">What each begins with, and the texts shown before it.</param>
    /// <param name="seed">Text i depends on it, its variation and its place only.</param>
    /// <param name="p">Told of the stage generate, in tokens.</param>
    /// <param name="ct">Looked at before every token.</param>
    public IReadOnlyList<Candidate> Vary(IReadOnlyList<Variation> variations, ulong seed, IProgress<PolicyProgress>? p, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(variations);
        int[][] kept = [.. variations.Select(v => v.Kept(Math.Min(_settings.MaxTextTokens, _settings.PromptTokens)))];
        int[][] prompts = [.. variations.Select((v, i) => (int[])
            [.. _format.Prompt(v.Examples, _settings.MaxTextTokens, _settings.PromptTokens - kept[i].Length), .. kept[i]])];
        int most = prompts.Length * _settings.Sampling.MaxNewTokens;
        var completions = new TextGenerator(_model, _format.EndTokens, tokens => _format.Decode(tokens)).Generate(
            prompts, 1, _settings.Sampling, seed, _settings.GenerationBatch,
            Relay.Of<int>(p, tokens => new PolicyProgress("generate", tokens, most, $"{tokens} tokens")), ct);
        return [.. completions.Select((c, i) => Continued(kept[i], c))];
    }

    /// <summary>Tunes the adapter to texts, from where it stands: plain next-token training.</summary>
    /// <param name="texts">With the tokens that they were sampled as; at least one.</param>
    /// <param name="learningRate">Largest rate of AdamW.</param>
    /// <param name="epochs">Passes over the texts.</param>
    /// <param name="seed">Of their order.</param>
    /// <param name="p">Told of the stage tune, in steps.</param>
    /// <param name="ct">Looked at before every step; what was learned until then stays.</param>
    /// <exception cref="TrainingDivergedException">The loss is no longer finite.</exception>
    public TrainingSummary FineTune(IReadOnlyList<Candidate> texts, double learningRate, int epochs, ulong seed, IProgress<PolicyProgress>? p, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(texts);
        int[][] documents = [.. texts.Select(t => _format.Document(t)).Where(d => d.Length > 0)];
        var told = Relay.Of<TrainingProgress>(p, step => new PolicyProgress("tune", step.Step, step.Steps, string.Create(CultureInfo.InvariantCulture, $"loss {step.Loss:F3}")));
        return Together((model, adapter, group) =>
        {
            adapter.Training = true;
            try
            {
                return LanguageModelTrainer.Train(
                    model, documents, _settings.Pretraining with { Steps = 0, Epochs = epochs, LearningRate = learningRate, Seed = seed },
                    adapter == _adapter ? told : null, ct, group, adapter);
            }
            finally
            {
                adapter.Training = false;
            }
        });
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
        var told = Relay.Of<int>(p, step => new PolicyProgress("tune", step, total, ""));
        return Together((model, adapter, group) =>
            new DpoTrainer(model, adapter, _format.EndTokens[0]).Train(tokenPairs, _settings.Dpo, seed, adapter == _adapter ? told : null, ct, group: group));
    }

    /// <summary>Writes the adapter in PEFT's layout; the folder is made where it is missing.</summary>
    public void SaveAdapter(string directory) => _adapter.Save(directory);

    /// <summary>Takes over a saved adapter of the same settings.</summary>
    public void LoadAdapter(string directory) => _adapter.Load(directory);

    /// <summary>Back to the fresh adapter, with which the policy is the base model.</summary>
    public void ResetAdapter() => _adapter.Reset(AdapterSeed);

    /// <summary>A kept beginning and what the model wrote behind it, cut to the longest text.</summary>
    private Candidate Continued(int[] kept, Completion c)
    {
        int room = _settings.MaxTextTokens - kept.Length;
        if (c.Tokens.Length > room)
            return new Candidate(_format.Decode([.. kept, .. c.Tokens.Take(room)]), [.. kept, .. c.Tokens.Take(room)], false);
        string text = c.StoppedBy is null ? _format.Decode([.. kept, .. c.Tokens]) : _format.Decode(kept) + c.Cut(_format.Decode(c.Tokens.AsSpan()));
        return new Candidate(text, [.. kept, .. c.Tokens], c.Ended || c.StoppedBy is not null);
    }

    public void Dispose()
    {
        foreach (var (model, adapter) in _others.Append((_model, _adapter)))
        {
            adapter.Dispose();
            model.Dispose();
        }
    }

    // On this model alone, or on all copies as ranks of a group, which begin with this one's adapter and end with the same.
    private T Together<T>(Func<CausalModel, LoraAdapter, ICollective?, T> tune)
    {
        if (_others.Count == 0)
            return tune(_model, _adapter, null);
        var all = _others.Prepend((Model: _model, Adapter: _adapter)).ToArray();
        return LocalGroup.Run([.. all.Select(o => o.Model.Device)], CollectiveKind.Auto, (group, _) => tune(all[group.Rank].Model, all[group.Rank].Adapter, group))[0];
    }

    private int[] PromptTokens(IReadOnlyList<string> examples) => _format.Prompt(examples, _settings.MaxTextTokens, _settings.PromptTokens);
}
