// Shapes: B batch, T time, C channels, D dimension of an embedding
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Encoders;

/// <summary>A sentence encoder of sentence-transformers (Reimers and Gurevych, arXiv:1908.10084) on a BERT checkpoint: texts to vectors.</summary>
/// <remarks>
/// <para>There are two ways to the same vectors, which differ by float noise (about 1e-7) alone:</para>
/// <list type="bullet">
/// <item><see cref="Encode"/> is fast: texts of like length go through the model together, with all threads. A text's last bits
/// depend on the texts beside it and on the number of threads.</item>
/// <item><see cref="EncodeEachAlone"/> repeats to the bit: each text is a batch of its own without padding, its operators run on
/// one thread. On one kind of processor and one build of libtorch a text's vector is a function of the text and the checkpoint:
/// which texts came with it, how many threads call and how many nodes share the work change nothing. Another kind of processor
/// (its BLAS takes other instructions) or a GPU may differ in the last bits.</item>
/// </list>
/// <para>Any number of threads may encode at once; on a GPU they take turns.</para>
/// </remarks>
public sealed class SentenceEncoder : IDisposable
{
    /// <summary>Tokens in a batch, padding included: bounds the memory of a forward pass, whatever the number of texts.</summary>
    private const int TokensPerBatch = 8192;

    private const int TextsPerWindow = 4096; // tokenised and sorted together
    private const int MostPerBatch = 512;

    private readonly SentencePipeline _pipeline;
    private readonly BertModel _model;
    private readonly DenseLayer[] _dense;
    private readonly Lock _turn = new();

    private SentenceEncoder(SentencePipeline pipeline, PretrainedTokenizer tokenizer, BertModel model, DenseLayer[] dense, int maxTokens)
    {
        (_pipeline, Tokenizer, _model, _dense, MaxTokens) = (pipeline, tokenizer, model, dense, maxTokens);
        Dimension = dense.Length > 0 ? dense[^1].OutSize : PooledSize(pipeline, model);
    }

    /// <summary>Numbers in an embedding.</summary>
    public int Dimension { get; }

    /// <summary>Texts are cut to so many tokens, special ones included.</summary>
    public int MaxTokens { get; }

    /// <summary>Embeddings have L2 norm 1.</summary>
    public bool Normalizes => _pipeline.Normalizes;

    public PretrainedTokenizer Tokenizer { get; }

    /// <summary>Reads a folder in sentence-transformers layout, or a plain BERT checkpoint.</summary>
    /// <param name="directory">The checkpoint.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="type">The type of the model's arithmetic; pooling is in float32 always.</param>
    /// <exception cref="InvalidDataException">A part that is missing, damaged or not supported; the message names it.</exception>
    public static SentenceEncoder Load(string directory, torch.Device device, ScalarType type = ScalarType.Float32)
    {
        TorchRuntime.Prepare();
        var pipeline = SentencePipeline.Read(directory);
        var tokenizer = PretrainedTokenizer.Load(pipeline.Transformer);
        var model = BertModel.Load(pipeline.Transformer, device, type);
        var dense = new List<DenseLayer>();
        try
        {
            if (tokenizer.VocabularySize > model.Config.VocabularySize)
                throw new InvalidDataException($"{directory}: the tokenizer has {tokenizer.VocabularySize} ids, but the model's vocab_size is {model.Config.VocabularySize}");
            var maxTokens = Math.Min(pipeline.MaxTokens ?? int.MaxValue, model.Config.MaxLength);
            if (maxTokens < tokenizer.SpecialTokensAdded)
                throw new InvalidDataException($"{directory}: {maxTokens} tokens a text leave no room for {tokenizer.SpecialTokensAdded} special ones");
            var size = PooledSize(pipeline, model);
            foreach (var folder in pipeline.Dense)
            {
                dense.Add(DenseLayer.Load(folder, device, ScalarType.Float32));
                if (dense[^1].InSize != size)
                    throw new InvalidDataException($"{folder}: in_features must be {size}, found {dense[^1].InSize}");
                size = dense[^1].OutSize;
            }
            return new SentenceEncoder(pipeline, tokenizer, model, [.. dense], maxTokens);
        }
        catch
        {
            foreach (var layer in dense)
                layer.Dispose();
            model.Dispose();
            throw;
        }
    }

    /// <summary>Encodes many texts fast, in batches of like length.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="destination">Row-major [texts, D], overwritten; rows in the order of the texts.</param>
    /// <param name="ct">Ends the work between two batches.</param>
    public void Encode(IReadOnlyList<string> texts, Span<float> destination, CancellationToken ct = default)
    {
        Check(texts, destination);
        for (var start = 0; start < texts.Count; start += TextsPerWindow)
        {
            var rows = Enumerable.Range(start, Math.Min(TextsPerWindow, texts.Count - start)).Select(i => (Row: i, Ids: Tokens(texts[i])))
                .OrderBy(r => r.Ids.Length).ToArray();
            for (var at = 0; at < rows.Length;)
            {
                ct.ThrowIfCancellationRequested();
                var count = 1;
                while (at + count < rows.Length && count < MostPerBatch && (long)rows[at + count].Ids.Length * (count + 1) <= TokensPerBatch)
                    count++;
                var batch = rows.AsSpan(at, count);
                var values = Forward([.. batch.ToArray().Select(r => r.Ids)]);
                for (var i = 0; i < count; i++)
                    values.AsSpan(i * Dimension, Dimension).CopyTo(destination.Slice(batch[i].Row * Dimension, Dimension));
                at += count;
            }
        }
    }

    /// <summary>Encodes each text on its own, so that its vector depends on nothing else, to the bit.</summary>
    /// <inheritdoc cref="Encode"/>
    public void EncodeEachAlone(IReadOnlyList<string> texts, Span<float> destination, CancellationToken ct = default)
    {
        Check(texts, destination);
        // The count belongs to the calling thread, whose own work (a policy's training, say) is to go on as before.
        var threads = get_num_threads();
        if (threads != 1)
            set_num_threads(1);
        try
        {
            for (var i = 0; i < texts.Count; i++)
            {
                ct.ThrowIfCancellationRequested();
                Forward([Tokens(texts[i])]).CopyTo(destination.Slice(i * Dimension, Dimension));
            }
        }
        finally
        {
            if (threads != 1)
                set_num_threads(threads);
        }
    }

    public void Dispose()
    {
        foreach (var layer in _dense)
            layer.Dispose();
        _model.Dispose();
    }

    private static int PooledSize(SentencePipeline pipeline, BertModel model) => pipeline.Poolings.Count * model.Config.HiddenSize;

    private void Check(IReadOnlyList<string> texts, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (destination.Length != (long)texts.Count * Dimension)
            throw new ArgumentException($"{texts.Count} texts need {(long)texts.Count * Dimension} numbers, got room for {destination.Length}");
    }

    // As sentence-transformers: a prompt before the text, white space around it dropped.
    private int[] Tokens(string text)
    {
        var whole = (_pipeline.Prompt + text).Trim();
        var ids = Tokenizer.EncodeTruncated(_pipeline.LowerCase ? whole.ToLowerInvariant() : whole, MaxTokens);
        return ids.Length > 0 ? ids : [Tokenizer.Padding ?? 0]; // an empty text without special tokens: a mean needs a token
    }

    // The embeddings of one batch, row-major [B, D].
    private float[] Forward(int[][] rows)
    {
        if (_model.Device.type != DeviceType.CUDA)
            return ForwardHere(rows);
        // Each thread that ran here at once would need memory for a batch of its own.
        lock (_turn)
            return ForwardHere(rows);
    }

    private float[] ForwardHere(int[][] rows)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var time = rows.Max(r => r.Length);
        var padded = Array.Exists(rows, r => r.Length != time);
        var ids = new long[rows.Length * time];
        var filled = new bool[ids.Length];
        ids.AsSpan().Fill(Tokenizer.Padding ?? 0);
        for (var b = 0; b < rows.Length; b++)
        {
            for (var t = 0; t < rows[b].Length; t++)
                (ids[(b * time) + t], filled[(b * time) + t]) = (rows[b][t], true);
        }
        var device = _model.Device;
        var present = padded ? tensor(filled, [rows.Length, time], device: device) : null;
        var hidden = _model.Forward(tensor(ids, [rows.Length, time], device: device), present).to(ScalarType.Float32);
        var pooled = cat([.. _pipeline.Poolings.Select(p => Pool(p, hidden, present))], 1);
        foreach (var layer in _dense)
            pooled = layer.Apply(pooled);
        if (_pipeline.Normalizes)
            pooled = nn.functional.normalize(pooled, p: 2, dim: 1, eps: 1e-12);
        return pooled.cpu().contiguous().data<float>().ToArray();
    }

    // hidden [B, T, C], present [B, T] or null to [B, C]
    private static Tensor Pool(Pooling pooling, Tensor hidden, Tensor? present)
    {
        var absent = present?.logical_not().unsqueeze(-1);
        switch (pooling)
        {
            case Pooling.Cls:
                return hidden.select(1, 0);
            case Pooling.Max:
                return (absent is null ? hidden : hidden.masked_fill(absent, float.NegativeInfinity)).amax([1L]);
            case Pooling.Mean or Pooling.MeanSqrtLength:
                var sum = (absent is null ? hidden : hidden.masked_fill(absent, 0)).sum([1L]);
                var count = present is null ? tensor((float)hidden.shape[1], device: hidden.device) : present.to(ScalarType.Float32).sum([1L]).unsqueeze(-1);
                return sum / (pooling == Pooling.Mean ? count : count.sqrt());
            default:
                throw new ArgumentOutOfRangeException(nameof(pooling), $"unknown pooling {pooling}");
        }
    }
}
