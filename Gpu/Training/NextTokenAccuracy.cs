// Shapes: B batch, T time, C channels, V vocabulary, N counted positions
using System.Collections.Immutable;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Training;

/// <summary>How often a model's most likely next token is the right one.</summary>
public static class NextTokenAccuracy
{
    /// <summary>Measures over every token of each document but its first, which has nothing before it.</summary>
    /// <param name="model">Not changed.</param>
    /// <param name="documents">Token ids; each is read alone, from its beginning.</param>
    /// <param name="maxLength">Tokens of a document that are looked at; at most the model's MaxLength.</param>
    /// <param name="batchSize">Documents at once; of no influence on the count but for rounding.</param>
    /// <param name="ct">Ends the measurement between batches.</param>
    /// <returns>Tokens predicted rightly, tokens counted, their ratio, and the mean cross-entropy in nats.</returns>
    /// <exception cref="ArgumentException">No document has two tokens, or an id is outside the vocabulary.</exception>
    public static (long Correct, long Counted, double Accuracy, double Loss) Measure(
        CausalModel model, IReadOnlyList<int[]> documents, int maxLength, int batchSize, CancellationToken ct = default)
    {
        var (each, loss) = MeasureEach(model, documents, maxLength, batchSize, ct);
        long correct = each.Sum(d => (long)d.Correct), counted = each.Sum(d => (long)d.Counted);
        return (correct, counted, (double)correct / counted, loss);
    }

    /// <summary>As <see cref="Measure"/>, for each document alone.</summary>
    /// <returns>For each document, in order, tokens predicted rightly and tokens counted; and the mean cross-entropy of all in nats.</returns>
    /// <inheritdoc cref="Measure" path="/param"/>
    /// <inheritdoc cref="Measure" path="/exception"/>
    public static (ImmutableArray<TokenCount> Each, double Loss) MeasureEach(
        CausalModel model, IReadOnlyList<int[]> documents, int maxLength, int batchSize, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(documents);
        if (maxLength < 2 || maxLength > model.Shape.MaxLength)
            throw new ArgumentOutOfRangeException(nameof(maxLength), $"maxLength must be in [2, {model.Shape.MaxLength}] (the model's MaxLength), got {maxLength}");
        if (batchSize < 1)
            throw new ArgumentOutOfRangeException(nameof(batchSize), $"batchSize must be 1 or more, got {batchSize}");
        // Documents of like length share a batch, so that little is computed for padding.
        var usable = documents.Index().Where(d => d.Item.Length >= 2)
            .Select(d => (d.Index, Ids: d.Item.Length > maxLength ? d.Item[..maxLength] : d.Item)).OrderBy(d => d.Ids.Length).ToArray();
        if (usable.Length == 0)
            throw new ArgumentException("documents must hold one of two tokens or more", nameof(documents));
        var each = new TokenCount[documents.Count];
        double loss = 0;
        using var noGrad = no_grad();
        foreach (var batch in usable.Chunk(batchSize))
        {
            ct.ThrowIfCancellationRequested();
            var (right, sum) = MeasureBatch(model, [.. batch.Select(d => d.Ids)]);
            var at = 0;
            foreach (var (index, ids) in batch)
            {
                each[index] = new TokenCount(right.AsSpan(at, ids.Length - 1).Count(true), ids.Length - 1);
                at += ids.Length - 1;
            }
            loss += sum;
        }
        return ([.. each], loss / each.Sum(d => (long)d.Counted));
    }

    /// <summary>For each counted position, document by document, whether it is predicted rightly; and the sum of cross-entropies.</summary>
    private static (bool[] Right, double LossSum) MeasureBatch(CausalModel model, int[][] documents)
    {
        var time = documents[^1].Length - 1;
        var ids = new long[documents.Length * time]; // padding is 0; causal attention hides it from what comes before it
        List<long> positions = [], targets = [];
        for (var b = 0; b < documents.Length; b++)
        {
            var document = documents[b];
            for (var t = 0; t + 1 < document.Length; t++)
            {
                if ((uint)document[t] >= (uint)model.Shape.VocabularySize || (uint)document[t + 1] >= (uint)model.Shape.VocabularySize)
                    throw new ArgumentException($"token ids must be in [0, {model.Shape.VocabularySize}), got {document[t]} and {document[t + 1]}");
                ids[b * time + t] = document[t];
                positions.Add(b * time + t);
                targets.Add(document[t + 1]);
            }
        }
        using var scope = NewDisposeScope();
        var hidden = model.Hidden(tensor(ids, [documents.Length, time]).to(model.Device)); // [B, T, C]
        var counted = hidden.view(-1, hidden.shape[^1]).index_select(0, Vector(positions, model.Device));
        var logits = model.Head(counted).to_type(ScalarType.Float32); // [N, V]: the head is computed for counted positions only
        var wanted = Vector(targets, model.Device);
        var right = logits.argmax(-1).eq(wanted).cpu().data<bool>().ToArray();
        var loss = nn.functional.cross_entropy(logits, wanted, reduction: nn.Reduction.Sum).item<float>();
        return (right, loss);
    }

    private static Tensor Vector(List<long> values, torch.Device device) => tensor(values.ToArray()).to(device);
}

/// <summary>How many tokens of a document were predicted rightly.</summary>
/// <param name="Correct">Tokens predicted rightly.</param>
/// <param name="Counted">Tokens predicted; 0 for a document of less than two.</param>
public readonly record struct TokenCount(int Correct, int Counted);
