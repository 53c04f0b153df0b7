using Chorus.Gpu.Collectives;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;

namespace Chorus.Gpu.Training;

/// <summary>Trains a language model to predict the next token of packed documents (AdamW, warm-up and cosine, clipped gradients).</summary>
public static class LanguageModelTrainer
{
    /// <summary>Trains the model's own parameters in place. Equal inputs give equal weights at a fixed thread count on the CPU.</summary>
    /// <param name="model">Trained on its own device; the caller keeps it.</param>
    /// <param name="documents">Token ids of each document, with the end token that closes it.</param>
    /// <param name="settings">Batch, steps, learning rate, seed.</param>
    /// <param name="progress">Told after each step.</param>
    /// <param name="ct">Ends the training between two steps; the model then has the weights reached so far.</param>
    /// <param name="group">
    /// Where several ranks train together, each with a model of its own and the same arguments: this rank's place. Each computes its share of every batch; all start from rank 0's weights
    /// and have the same after every step. Null: there is no other.
    /// </param>
    /// <exception cref="CollectiveBrokenException">A rank of the group is gone.</exception>
    /// <param name="adapter">An adapter on the model that is trained in its place; null trains the model itself.</param>
    /// <exception cref="ArgumentException">Ids outside the vocabulary, fewer than two tokens, windows longer than the model's MaxLength.</exception>
    /// <exception cref="TrainingDivergedException">The loss is no longer finite.</exception>
    public static TrainingSummary Train(
        CausalModel model, IReadOnlyList<int[]> documents, LanguageModelTrainingSettings settings,
        IProgress<TrainingProgress>? progress = null, CancellationToken ct = default, ICollective? group = null, LoraAdapter? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(settings);
        using var run = new TrainingRun(model, documents, settings, group, adapter?.Parameters);
        for (var epoch = 1; run.StepsDone < run.Steps; epoch++)
            run.RunEpoch(epoch, progress, ct);
        var lastTenth = Math.Max(1, run.Losses.Count / 10);
        return new TrainingSummary(run.StepsDone, run.Tokens, run.Losses[0], run.Losses.TakeLast(lastTenth).Average(), run.Elapsed);
    }
}
