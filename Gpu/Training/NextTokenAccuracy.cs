// Shapes: B batch, T time, C channels, V vocabulary, N counted positions
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
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(documents);
        if (maxLength < 2 || maxLength > model.Shape.MaxLength)
            throw new ArgumentOutOfRangeException(nameof(maxLength), $"maxLength must be in [2, {model.Shape.MaxLength}] (the model's MaxLength), got {maxLength}");
        if (batchSize < 1)
            throw new ArgumentOutOfRangeException(nameof(batchSize), $"batchSize must be 1 or more, got {batchSize}");
        // Documents of like length share a batch, so that little is computed for padding.
        var usable = documents.Where(d => d.Length >= 2).Select(d => d.Length > maxLength ? d[..maxLength] : d).OrderBy(d => d.Length).ToArray();
        if (usable.Length == 0)
            throw new ArgumentException("documents must hold one of two tokens or more", nameof(documents));
        long correct = 0, counted = 0;
        double loss = 0;
        using var noGrad = no_grad();
        foreach (var batch in usable.Chunk(batchSize))
        {
            ct.ThrowIfCancellationRequested();
            var (right, n, sum) = MeasureBatch(model, batch);
            correct += right;
            counted += n;
            loss += sum;
        }
        return (correct, counted, (double)correct / counted, loss / counted);
    }

    private static (long Correct, long Counted, double LossSum) MeasureBatch(CausalModel model, int[][] documents)
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
        var logits = model.Head(counted); // [N, V]: the head is computed for counted positions only
        var wanted = Vector(targets, model.Device);
        var right = logits.argmax(-1).eq(wanted).sum().item<long>();
        var loss = nn.functional.cross_entropy(logits, wanted, reduction: nn.Reduction.Sum).item<float>();
        return (right, positions.Count, loss);
    }

    private static Tensor Vector(List<long> values, torch.Device device) => tensor(values.ToArray()).to(device);
}
