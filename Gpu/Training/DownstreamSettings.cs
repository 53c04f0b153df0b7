using System.Collections.Immutable;
using Chorus.Gpu.Models;

namespace Chorus.Gpu.Training;

/// <summary>How the downstream models are shaped, trained and chosen; the same for every arm.</summary>
public sealed record DownstreamSettings
{
    /// <summary>The shape of a downstream model that is trained from nothing; null where it starts from a checkpoint.</summary>
    public required LlamaConfig? Model { get; init; }

    /// <summary>Batch, window length, schedule and learning rate of a model trained from scratch. Steps and epochs are set here below.</summary>
    public LanguageModelTrainingSettings Training { get; init; } = new();

    /// <summary>The largest learning rate of a model that is trained further.</summary>
    public double FurtherLearningRate
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(nameof(FurtherLearningRate), $"FurtherLearningRate must be > 0 and finite, got {value}");
    } = 1e-3;

    /// <summary>Passes over the documents of a model that is trained from the settings' start, the floor, at most.</summary>
    public int MaxFloorEpochs { get; init => field = AtLeast(value, 1, nameof(MaxFloorEpochs)); } = 8;

    /// <summary>Passes over the documents of a model that is trained further at most.</summary>
    public int MaxEpochs { get; init => field = AtLeast(value, 1, nameof(MaxEpochs)); } = 8;

    /// <summary>Epochs without a better validation accuracy after which an arm ends.</summary>
    public int Patience { get; init => field = AtLeast(value, 1, nameof(Patience)); } = 2;

    /// <summary>The share of an arm's documents that is kept for validation.</summary>
    public double ValidationShare
    {
        get;
        init => field = value is > 0 and < 1 ? value : throw new ArgumentOutOfRangeException(nameof(ValidationShare), $"ValidationShare must be in (0, 1), got {value}");
    } = 0.1;

    /// <summary>Validation documents at most, however many an arm has.</summary>
    public int MaxValidationDocuments { get; init => field = AtLeast(value, 1, nameof(MaxValidationDocuments)); } = 500;

    /// <summary>Tokens of a document that accuracies look at.</summary>
    public int EvaluationLength { get; init => field = AtLeast(value, 2, nameof(EvaluationLength)); } = 64;

    /// <summary>Documents at once when accuracies are measured.</summary>
    public int EvaluationBatchSize { get; init => field = AtLeast(value, 1, nameof(EvaluationBatchSize)); } = 32;

    /// <summary>Decides the first weights, the validation documents and the order of training.</summary>
    public ulong Seed { get; init; }

    private static int AtLeast(int value, int least, string name) =>
        value >= least ? value : throw new ArgumentOutOfRangeException(name, $"{name} must be {least} or more, got {value}");
}

/// <summary>One epoch of an arm.</summary>
/// <param name="Epoch">0 is the model that the arm started from.</param>
/// <param name="TrainingLoss">Mean cross-entropy over the epoch's steps, in nats a token; null for epoch 0.</param>
/// <param name="ValidationAccuracy">Next-token accuracy on the arm's validation documents, in [0, 1].</param>
public sealed record DownstreamEpoch(int Epoch, double? TrainingLoss, double ValidationAccuracy);

/// <summary>What came of one arm.</summary>
/// <param name="Name">floor, popri, ceiling, or the caller's own.</param>
/// <param name="Epochs">In order, epoch 0 first.</param>
/// <param name="ChosenEpoch">The epoch whose weights were kept: the best on validation, the earlier of equals.</param>
/// <param name="ValidationAccuracy">Of the chosen epoch, in [0, 1].</param>
/// <param name="Test">Of the chosen epoch, for each test document, measured once.</param>
/// <param name="TestLoss">Cross-entropy there, in nats a token.</param>
/// <param name="TrainingDocuments">Documents trained on.</param>
/// <param name="ValidationDocuments">Documents validated on.</param>
/// <param name="TrainingTokens">Tokens trained on, each time it was seen, in all epochs run.</param>
/// <param name="Elapsed">Time taken; the only figure here that differs between equal runs.</param>
public sealed record ArmResult(
    string Name, ImmutableArray<DownstreamEpoch> Epochs, int ChosenEpoch, double ValidationAccuracy, ImmutableArray<TokenCount> Test, double TestLoss,
    int TrainingDocuments, int ValidationDocuments, long TrainingTokens, TimeSpan Elapsed)
{
    /// <summary>Tokens that the test accuracy counts.</summary>
    public long TestTokens => Test.Sum(d => (long)d.Counted);

    /// <summary>Share of the test documents' tokens that are predicted rightly, in [0, 1].</summary>
    public double TestAccuracy => (double)Test.Sum(d => (long)d.Correct) / TestTokens;
}

/// <summary>The three arms.</summary>
/// <param name="Floor">Trained on public documents alone.</param>
/// <param name="Popri">The floor's model, trained further on synthetic documents.</param>
/// <param name="Ceiling">The floor's model, trained further on private documents, without noise.</param>
public sealed record DownstreamResult(ArmResult Floor, ArmResult Popri, ArmResult Ceiling)
{
    /// <summary>The share of the way from floor to ceiling that the synthetic data goes; null where the ceiling is no higher than the floor.</summary>
    public double? GapClosed => Ceiling.TestAccuracy > Floor.TestAccuracy
        ? (Popri.TestAccuracy - Floor.TestAccuracy) / (Ceiling.TestAccuracy - Floor.TestAccuracy) : null;
}

/// <summary>How far an experiment is.</summary>
/// <param name="Arm">The arm's name.</param>
/// <param name="Epoch">The epoch under way, from 1.</param>
/// <param name="MaxEpochs">Epochs at most.</param>
/// <param name="Training">The arm's steps.</param>
public readonly record struct DownstreamProgress(string Arm, int Epoch, int MaxEpochs, TrainingProgress Training);
