using Chorus.Simulation.Federation;
using Chorus.Simulation.Metrics;
using static Chorus.Actors.Runs.RunProtocol;
using static Chorus.Actors.Serialization.Mappings.Fields;

namespace Chorus.Actors.Serialization.Mappings;

internal static class RunMappings
{
    public static IEnumerable<WireType> Types =>
    [
        WireType.Of<GetRunDescription, Wire.GetRunDescription>("run/describe/2", m => new() { Run = m.Run }, w => new(w.Run)),
        WireType.Of<RunDescription, Wire.RunDescription>(
            "run/description/2",
            m => new() { Run = m.Run, Settings = m.Settings, DataSha256 = m.DataSha256, Clients = m.Clients },
            w => new(w.Run, w.Settings, w.DataSha256, Count(w.Clients))),
        WireType.Of<RunStarted, Wire.RunStarted>(
            "run/started/2",
            m =>
            {
                var w = new Wire.RunStarted { Run = m.Run, SettingsSha256 = m.SettingsSha256, DataSha256 = m.DataSha256, Clients = m.Clients };
                if (m.CohortSeed is { } seed)
                    w.CohortSeed = seed;
                return w;
            },
            w => new(w.Run, w.SettingsSha256, w.DataSha256, w.Clients, w.HasCohortSeed ? w.CohortSeed : null)),
        WireType.Of<CandidatesMade, Wire.CandidatesMade>(
            "run/candidates-made/2",
            m => new() { Run = m.Run, Round = m.Round, Sha256 = m.Sha256, Count = m.Count, GenerateSeconds = m.GenerateSeconds },
            w => new(w.Run, w.Round, w.Sha256, w.Count, w.GenerateSeconds)),
        WireType.Of<LeasingStarted, Wire.LeasingStarted>(
            "run/leasing-started/2", m => new() { Run = m.Run, Round = m.Round, Attempt = m.Attempt }, w => new(w.Run, w.Round, w.Attempt)),
        WireType.Of<ReleaseMade, Wire.ReleaseMade>("run/release-made/2", Write, Read),
        WireType.Of<PolicyAdvanced, Wire.PolicyAdvanced>(
            "run/policy-advanced/2",
            m => new()
            {
                Run = m.Run, Round = m.Round, AdapterSha256 = m.AdapterSha256, Pairs = m.Pairs, Steps = m.Steps, FirstLoss = m.FirstLoss, LastLoss = m.LastLoss,
                RewardAccuracy = m.RewardAccuracy, LearnSeconds = m.LearnSeconds,
            },
            w => new(w.Run, w.Round, w.AdapterSha256, w.Pairs, w.Steps, w.FirstLoss, w.LastLoss, w.RewardAccuracy, w.LearnSeconds)),
        WireType.Of<RoundEvaluated, Wire.RoundEvaluated>(
            "run/round-evaluated/2",
            m =>
            {
                var w = new Wire.RoundEvaluated { Run = m.Run, Round = m.Round, EvaluateSeconds = m.EvaluateSeconds };
                Set(m.Fid, x => w.Fid = x);
                Set(m.MeanDistance, x => w.MeanDistance = x);
                return w;
            },
            w => new(w.Run, w.Round, Get(w.HasFid, w.Fid), Get(w.HasMeanDistance, w.MeanDistance), w.EvaluateSeconds)),
        WireType.Of<SyntheticWritten, Wire.SyntheticWritten>(
            "run/synthetic-written/2",
            m =>
            {
                var w = new Wire.SyntheticWritten { Run = m.Run, Sha256 = m.Sha256, Count = m.Count, Seconds = m.Seconds, Texts = m.Texts is { } texts ? Write(texts) : null };
                Set(m.Fid, x => w.Fid = x);
                Set(m.MeanDistance, x => w.MeanDistance = x);
                return w;
            },
            w => new(w.Run, w.Sha256, w.Count, Get(w.HasFid, w.Fid), Get(w.HasMeanDistance, w.MeanDistance), w.Seconds, w.Texts is null ? null : Read(w.Texts))),
        WireType.Of<DownstreamMeasured, Wire.DownstreamMeasured>(
            "run/downstream-measured/2",
            m => new() { Run = m.Run, Arms = { m.Arms.Select(ModelMappings.Write) }, Seconds = m.Seconds },
            w => new(w.Run, [.. w.Arms.Select(ModelMappings.Read)], w.Seconds)),
        WireType.Of<RunFinished, Wire.RunFinished>("run/finished/2", m => new() { Run = m.Run, TotalSeconds = m.TotalSeconds }, w => new(w.Run, w.TotalSeconds)),
    ];

    private static Wire.ReleaseMade Write(ReleaseMade m)
    {
        var w = new Wire.ReleaseMade
        {
            Run = m.Run,
            Round = m.Round,
            Sha256 = m.Sha256,
            ClientsSampled = m.ClientsSampled,
            ClientsCounted = m.ClientsCounted,
            ClientsSha256 = m.ClientsSha256,
            Tally = CollectionMappings.Write(m.Tally),
            Spend = LedgerMappings.Write(m.Spend),
            FeedbackSeconds = m.FeedbackSeconds,
            Turnout = m.Turnout is { } t ? Write(t) : null,
        };
        Set(m.PairsKeptRight, x => w.PairsKeptRight = x);
        return w;
    }

    private static ReleaseMade Read(Wire.ReleaseMade w) => new(
        w.Run, w.Round, w.Sha256, w.ClientsSampled, w.ClientsCounted, w.ClientsSha256, CollectionMappings.Read(Required(w.Tally)), LedgerMappings.Read(Required(w.Spend)),
        w.FeedbackSeconds, Get(w.HasPairsKeptRight, w.PairsKeptRight), w.Turnout is null ? null : Read(w.Turnout));

    private static Wire.Turnout Write(Turnout m) => new()
    {
        Asked = m.Asked,
        Unreachable = m.Unreachable,
        Dropped = m.Dropped,
        Late = m.Late,
        TurnedAway = m.TurnedAway,
        Counted = m.Counted,
        Seconds = m.Seconds,
    };

    private static Turnout Read(Wire.Turnout w) => new(w.Asked, w.Unreachable, w.Dropped, w.Late, w.TurnedAway, w.Counted, w.Seconds);

    private static Wire.TextMeasures Write(TextMeasures m)
    {
        var w = new Wire.TextMeasures { CopiedWords = m.CopiedWords, Synthetic = Write(m.Synthetic), HeldOut = Write(m.HeldOut) };
        Set(m.Mauve, x => w.Mauve = x);
        return w;
    }

    private static TextMeasures Read(Wire.TextMeasures w) =>
        new(Get(w.HasMauve, w.Mauve), w.CopiedWords, Read(Required(w.Synthetic)), Read(Required(w.HeldOut)));

    private static Wire.TextSetMeasures Write(TextSetMeasures m)
    {
        var w = new Wire.TextSetMeasures
        {
            Compared = m.Compared,
            PublicCopies = Write(m.PublicCopies),
            PrivateCopies = m.PrivateCopies is { } copies ? Write(copies) : null,
        };
        Set(m.Distinct1, x => w.Distinct1 = x);
        Set(m.Distinct2, x => w.Distinct2 = x);
        Set(m.Distinct3, x => w.Distinct3 = x);
        return w;
    }

    private static TextSetMeasures Read(Wire.TextSetMeasures w) => new(
        w.Compared, Get(w.HasDistinct1, w.Distinct1), Get(w.HasDistinct2, w.Distinct2), Get(w.HasDistinct3, w.Distinct3), Read(Required(w.PublicCopies)),
        w.PrivateCopies is null ? null : Read(w.PrivateCopies));

    private static Wire.CopyShare Write(CopyShare m) => new() { Share = m.Share, MedianRun = m.MedianRun, LongestRun = m.LongestRun };

    private static CopyShare Read(Wire.CopyShare w) => new(w.Share, w.MedianRun, w.LongestRun);

    private static double? Get(bool has, double value) => has ? value : null;

    private static void Set(double? value, Action<double> set)
    {
        if (value is { } there)
            set(there);
    }
}
