using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Serialization.Mappings;

/// <summary>Policy and evaluator.</summary>
internal static class ModelMappings
{
    public static IEnumerable<WireType> Types =>
    [
        WireType.Of<PolicyProtocol.GenerateCandidates, Wire.GenerateCandidates>(
            "policy/generate/2", m => new() { Run = m.Run, Folder = m.Folder, Round = m.Round }, w => new(w.Run, w.Folder, w.Round)),
        WireType.Of<PolicyProtocol.CandidatesGenerated, Wire.CandidatesGenerated>(
            "policy/generated/2",
            m => new() { Run = m.Run, Round = m.Round, Sha256 = m.Sha256, Count = m.Count, Seconds = m.Seconds },
            w => new(w.Run, w.Round, w.Sha256, w.Count, w.Seconds)),
        WireType.Of<PolicyProtocol.TunePolicy, Wire.TunePolicy>(
            "policy/tune/2", m => new() { Run = m.Run, Folder = m.Folder, Round = m.Round }, w => new(w.Run, w.Folder, w.Round)),
        WireType.Of<PolicyProtocol.PolicyTuned, Wire.PolicyTuned>(
            "policy/tuned/2",
            m => new()
            {
                Run = m.Run, Round = m.Round, AdapterSha256 = m.AdapterSha256, Pairs = m.Pairs, Steps = m.Steps, FirstLoss = m.FirstLoss, LastLoss = m.LastLoss,
                RewardAccuracy = m.RewardAccuracy, Seconds = m.Seconds,
            },
            w => new(w.Run, w.Round, w.AdapterSha256, w.Pairs, w.Steps, w.FirstLoss, w.LastLoss, w.RewardAccuracy, w.Seconds)),
        WireType.Of<PolicyProtocol.WriteSynthetic, Wire.WriteSynthetic>(
            "policy/synthesize/2", m => new() { Run = m.Run, Folder = m.Folder, Rounds = m.Rounds }, w => new(w.Run, w.Folder, w.Rounds)),
        WireType.Of<PolicyProtocol.SyntheticMade, Wire.SyntheticMade>(
            "policy/synthetic/2",
            m => new() { Run = m.Run, Sha256 = m.Sha256, Count = m.Count, Seconds = m.Seconds },
            w => new(w.Run, w.Sha256, w.Count, w.Seconds)),
        WireType.Of<EvaluationProtocol.MeasureDownstream, Wire.MeasureDownstream>(
            "evaluation/measure/2",
            m => new() { Run = m.Run, Folder = m.Folder, NoiseMultiplier = m.NoiseMultiplier },
            w => new(w.Run, w.Folder, w.NoiseMultiplier)),
        WireType.Of<EvaluationProtocol.DownstreamDone, Wire.DownstreamDone>(
            "evaluation/done/2",
            m => new() { Run = m.Run, Arms = { m.Arms.Select(Write) }, Seconds = m.Seconds },
            w => new(w.Run, [.. w.Arms.Select(Read)], w.Seconds)),
        WireType.Of<StepProgress, Wire.StepProgress>(
            "step/progress/2",
            m => new() { Run = m.Run, Stage = m.Stage, Done = m.Done, Total = m.Total, Detail = m.Detail },
            w => new(w.Run, w.Stage, w.Done, w.Total, w.Detail)),
        WireType.Of<StepFailed, Wire.StepFailed>(
            "step/failed/2",
            m => new() { Run = m.Run, Stage = m.Stage, Reason = m.Reason, BadInput = m.BadInput },
            w => new(w.Run, w.Stage, w.Reason, w.BadInput)),
    ];

    public static Wire.ArmMeasured Write(ArmMeasured m) => new()
    {
        Name = m.Name,
        Texts = m.Texts,
        Epochs = m.Epochs,
        ChosenEpoch = m.ChosenEpoch,
        ValidationAccuracy = m.ValidationAccuracy,
        TestAccuracy = m.TestAccuracy,
        TestTokens = m.TestTokens,
        Topics = { m.Topics.Select(t => new Wire.TopicAccuracy { Topic = t.Topic, Tokens = t.Tokens, Accuracy = t.Accuracy }) },
    };

    public static ArmMeasured Read(Wire.ArmMeasured w) =>
        new(w.Name, w.Texts, w.Epochs, w.ChosenEpoch, w.ValidationAccuracy, w.TestAccuracy, w.TestTokens)
        {
            Topics = [.. w.Topics.Select(t => new TopicAccuracy(t.Topic, t.Tokens, t.Accuracy))],
        };
}
