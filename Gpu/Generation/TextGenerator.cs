// Shapes: R rows being sampled, P prompts
using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>Samples continuations of prompts, batched, each prompt computed once for all its samples.</summary>
/// <remarks>
/// Every token has its own random number, keyed by (seed, prompt index, sample index, step), so a text does not depend on
/// what it is batched with, up to the last bits of the matrix products, which may differ between batch shapes.
/// On the CPU each token is drawn on the host (<see cref="HostSampler"/>), on a GPU there (<see cref="DeviceSampler"/>).
/// A batch that does not fit into memory is halved, and so are those after it.
/// </remarks>
/// <param name="model">Sampled with its adapter when that is enabled; not changed.</param>
/// <param name="endTokens">Each ends a text; may be empty.</param>
/// <param name="decode">From ids to text; needed for stop strings alone.</param>
public sealed class TextGenerator(CausalModel model, IReadOnlyCollection<int> endTokens, Func<int[], string>? decode = null)
{
    /// <param name="model">Sampled with its adapter when that is enabled; not changed.</param>
    /// <param name="endToken">Ends a text.</param>
    public TextGenerator(CausalModel model, int endToken) : this(model, [endToken])
    {
    }

    /// <summary>Whether tokens are drawn on the model's device.</summary>
    internal bool DrawsOnDevice { get; init; } = model.Device.type != DeviceType.CPU;

    /// <summary>Whether steps on a CUDA device are recorded once and repeated, where this libtorch can; the tokens are the same.</summary>
    internal bool RecordsSteps { get; init; } = true;

    /// <summary>Called with the rows of a batch before its memory is taken and at every look at the device; tests let it fail like an allocator.</summary>
    internal Action<int>? Allocating { get; init; }

    /// <summary>Result i is sample i % samplesPerPrompt of prompt i / samplesPerPrompt.</summary>
    /// <param name="prompts">Token ids; each has at least one.</param>
    /// <param name="samplesPerPrompt">At least 1.</param>
    /// <param name="s">Temperature, top-k, top-p, longest text, stop strings.</param>
    /// <param name="seed">Of all random numbers.</param>
    /// <param name="batchSize">Rows sampled at once; bounds the memory.</param>
    /// <param name="tokensDone">Told how many new tokens there are so far, once a step, or once in several on a GPU.</param>
    /// <param name="ct">Looked at as often.</param>
    /// <exception cref="ArgumentException">An empty prompt, a token outside the vocabulary, or a prompt that leaves no room for MaxNewTokens; stop strings without a decoder; or logits that are not finite.</exception>
    public Completion[] Generate(
        IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingSettings s, ulong seed, int batchSize, IProgress<int>? tokensDone, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(s);
        ArgumentOutOfRangeException.ThrowIfLessThan(samplesPerPrompt, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        Check(prompts, s);

        // Prompts of like length go together, so that little is padding; whole prompts where they fit, so that none is computed twice.
        var rows = Enumerable.Range(0, prompts.Count)
            .OrderBy(p => prompts[p].Length).ThenBy(p => p)
            .SelectMany(p => Enumerable.Range(0, samplesPerPrompt).Select(sample => new SampledRow(p, sample)))
            .ToArray();

        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var plan = model.ToDecoder();
        var job = new SamplingJob(prompts, s, seed, new TextEnds(endTokens, s.StopStrings, decode), Allocating, ct);
        using var onDevice = DrawsOnDevice ? new DeviceSampler(plan, job) { Records = RecordsSteps && CudaGraph.Available } : null;
        var onHost = DrawsOnDevice ? null : new HostSampler(plan, job);
        var work = new DeviceWork(model.Device, "generate");
        int done = 0, counted = 0, rowsAtOnce = batchSize >= samplesPerPrompt ? batchSize - batchSize % samplesPerPrompt : batchSize;
        for (int first = 0; first < rows.Length;)
        {
            var batch = rows[first..Math.Min(rows.Length, first + rowsAtOnce)];
            void Report()
            {
                int tokens = done + batch.Sum(r => r.Tokens.Count);
                tokensDone?.Report(tokens);
                work.Took("generate");
                work.Tokens(Math.Max(0, tokens - counted)); // a batch that is halved writes its tokens again
                counted = Math.Max(counted, tokens);
            }

            try
            {
                if (onDevice is not null)
                    onDevice.Sample(batch, Report);
                else
                    onHost!.Sample(batch, Report);
            }
            catch (Exception e) when (batch.Length > 1 && IsOutOfMemory(e))
            {
                foreach (var row in batch)
                    row.Clear();
                rowsAtOnce = (batch.Length + 1) / 2;
                continue;
            }
            first += batch.Length;
            done += batch.Sum(r => r.Tokens.Count);
        }

        var results = new Completion[prompts.Count * samplesPerPrompt];
        foreach (var row in rows)
            results[row.Prompt * samplesPerPrompt + row.Sample] = new Completion([.. row.Tokens], row.Ended, row.StoppedBy);
        return results;
    }

    // libtorch's allocators say it in words alone: "CUDA out of memory", "can't allocate memory: you tried to allocate", "not enough memory".
    private static bool IsOutOfMemory(Exception e) => e is OutOfMemoryException
        || (e is ExternalException && new[] { "out of memory", "allocate memory", "not enough memory" }.Any(words => e.Message.Contains(words, StringComparison.OrdinalIgnoreCase)));

    private void Check(IReadOnlyList<int[]> prompts, SamplingSettings s)
    {
        for (int p = 0; p < prompts.Count; p++)
        {
            int length = prompts[p].Length;
            if (length == 0)
                throw new ArgumentException($"prompt {p} must have at least one token, got none", nameof(prompts));
            if (length + s.MaxNewTokens > model.Shape.MaxLength)
            {
                throw new ArgumentException(
                    $"prompt {p} must have at most MaxLength - MaxNewTokens = {model.Shape.MaxLength - s.MaxNewTokens} tokens, got {length}", nameof(prompts));
            }
            if (prompts[p].Any(id => (uint)id >= (uint)model.Shape.VocabularySize))
                throw new ArgumentException($"prompt {p} must have tokens in [0, {model.Shape.VocabularySize}), got {string.Join(" ", prompts[p])}", nameof(prompts));
        }
        foreach (int end in endTokens.Where(id => (uint)id >= (uint)model.Shape.VocabularySize))
            throw new ArgumentException($"an end token must be in [0, {model.Shape.VocabularySize}), got {end}", nameof(prompts));
        if (s.StopStrings.Length > 0 && decode is null)
            throw new ArgumentException("stop strings need a decoder, got none", nameof(s));
    }
}

/// <summary>What all batches of one generation share.</summary>
/// <param name="Prompts">Token ids.</param>
/// <param name="Settings">Temperature and the like.</param>
/// <param name="Seed">Of all random numbers.</param>
/// <param name="Ends">What finishes a text.</param>
/// <param name="Allocating">Null but in tests.</param>
/// <param name="Ct">Ends the generation.</param>
internal sealed record SamplingJob(
    IReadOnlyList<int[]> Prompts, SamplingSettings Settings, ulong Seed, TextEnds Ends, Action<int>? Allocating, CancellationToken Ct)
{
    /// <summary>The batch's prompts, each once, in its order, and for each row which of them it continues.</summary>
    public static (int[] Prompts, int[] PromptOfRow) Distinct(SampledRow[] batch)
    {
        var distinct = batch.Select(r => r.Prompt).Distinct().ToArray();
        var at = distinct.Select((prompt, i) => (prompt, i)).ToDictionary(t => t.prompt, t => t.i);
        return (distinct, [.. batch.Select(r => at[r.Prompt])]);
    }

    /// <summary>Ids [P, T] padded on the right, where no token attends to them, and the index [P] of each prompt's last token.</summary>
    public (Tensor Ids, Tensor Last) Padded(int[] prompts, Device device)
    {
        int time = prompts.Max(p => Prompts[p].Length);
        var ids = new long[prompts.Length * time];
        for (int p = 0; p < prompts.Length; p++)
        {
            var tokens = Prompts[prompts[p]];
            for (int t = 0; t < tokens.Length; t++)
                ids[p * time + t] = tokens[t];
        }
        return (tensor(ids, [prompts.Length, time]).to(device), tensor(prompts.Select(p => (long)Prompts[p].Length - 1).ToArray()).to(device));
    }
}
