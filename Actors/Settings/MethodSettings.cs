using Chorus.Simulation.PrivateEvolution;

namespace Chorus.Actors.Settings;

/// <summary>In which numbers clients vote.</summary>
public enum VoteRelease
{
    /// <summary>One number a candidate, as published.</summary>
    Candidates,

    /// <summary>In the few dimensions that all votes lie in.</summary>
    Subspace,
}

/// <summary>What a client's vote says.</summary>
public enum VoteContent
{
    /// <summary>Which candidates it likes best, as published.</summary>
    Direction,

    /// <summary>How far its mean text lies from the candidates', and where to.</summary>
    Shift,
}

/// <summary>The shape of a round (arXiv 2504.16438, Algorithm 1), which all methods that write candidates share, and how POPri goes about it.</summary>
/// <param name="Release">In which numbers clients vote.</param>
/// <param name="CentreByPrompt">Votes are centred over each prompt's candidates, not over all.</param>
/// <param name="Votes">What a vote says.</param>
/// <param name="RankByAll">Candidates are ranked by what all rounds' releases say together, not by the round's scores alone.</param>
/// <param name="KeepPairs">The share of preference pairs, those of the widest margin, that the policy is tuned on.</param>
/// <param name="BestOf">Texts written for each synthetic text, of which the releases' weights draw one.</param>
/// <param name="PublicTexts">Public texts are among those that the product is drawn from.</param>
public sealed record PopriSettings(
    int Prompts, int Samples, int Shots, int RejectedRank, VoteRelease Release, bool CentreByPrompt, VoteContent Votes, bool RankByAll, double KeepPairs, int BestOf, bool PublicTexts)
{
    /// <summary>Whether the product is drawn by the releases' weights.</summary>
    public bool Weighs => BestOf > 1 || PublicTexts;

    /// <summary>Candidates of a round.</summary>
    public int Candidates => Prompts * Samples;

    internal static PopriSettings From(SettingsReader read, Method method)
    {
        var plus = method == Method.PopriPlus;
        var samples = read.Int("popri.samples", 2, 64);
        var rank = read.Int("popri.rejected-rank", 2, 64);
        if (rank > samples)
            throw read.Wrong("popri.rejected-rank", $"in [2, {samples}], the samples of a prompt");
        var release = read.OneOf("popri.release", "auto", "candidates", "subspace") switch
        {
            "candidates" => VoteRelease.Candidates,
            "subspace" => VoteRelease.Subspace,
            _ => plus ? VoteRelease.Subspace : VoteRelease.Candidates,
        };
        var byPrompt = read.OneOf("popri.centre", "auto", "all", "prompt") switch
        {
            "all" => false,
            "prompt" => true,
            _ => release == VoteRelease.Subspace && plus,
        };
        if (byPrompt && release == VoteRelease.Candidates)
            throw read.Wrong("popri.centre", "auto or all where popri.release is candidates: the published vote is centred over all candidates");
        var votes = read.OneOf("popri.votes", "auto", "direction", "shift") switch
        {
            "direction" => VoteContent.Direction,
            "shift" => VoteContent.Shift,
            _ => release == VoteRelease.Subspace && plus ? VoteContent.Shift : VoteContent.Direction,
        };
        var shift = votes == VoteContent.Shift;
        if (shift && release == VoteRelease.Candidates)
            throw read.Wrong("popri.votes", "auto or direction where popri.release is candidates: the published vote is one of direction");
        var byAll = read.OneOf("popri.rank-by", "auto", "round", "all-rounds") is var by && (by == "all-rounds" || (by == "auto" && shift));
        var bestOf = read.AutoOrInt("popri.best-of", 1, 64) ?? (shift ? 2 : 1);
        var publicTexts = read.Flag("popri.public-texts");
        foreach (var (key, asked, instead) in new[] { ("popri.rank-by", byAll, "auto or round"), ("popri.best-of", bestOf > 1, "auto or 1"), ("popri.public-texts", publicTexts, "off") })
        {
            if (asked && !shift)
                throw read.Wrong(key, $"{instead} where popri.votes is direction: only votes of shift weigh texts that nobody voted on");
        }

        return new PopriSettings(
            read.Int("popri.prompts", 1, 100_000), samples, read.Int("popri.shots", 0, 16), rank, release, byPrompt, votes, byAll, read.Above("popri.keep-pairs", 0, 1), bestOf, publicTexts);
    }
}

/// <summary>How Private Evolution selects and varies.</summary>
/// <param name="Selection">How the released histogram becomes parents.</param>
/// <param name="Threshold">Bins below so many standard deviations of the noise count as empty.</param>
/// <param name="Keep">The most of a parent's tokens that a variation begins with, as a share.</param>
/// <param name="SftLearningRate">Of the policy's adapter under pe-sft.</param>
/// <param name="SftEpochs">Passes over the selected texts under pe-sft.</param>
public sealed record PeSettings(EvolutionSelection Selection, double Threshold, double Keep, double SftLearningRate, int SftEpochs)
{
    internal static PeSettings From(SettingsReader read) => new(
        read.OneOf("pe.selection", "sample", "rank") == "rank" ? EvolutionSelection.Rank : EvolutionSelection.Sample,
        read.From("pe.threshold", 0, 100),
        read.From("pe.keep", 0, 0.95),
        read.Above("pe.sft-learning-rate", 0, 1),
        read.Int("pe.sft-epochs", 1, 1000));
}

/// <summary>How clients train, and what the server makes of it.</summary>
/// <param name="Clip">C: the most that a client's change of the weights counts, in L2 norm over all of them.</param>
/// <param name="Bands">dp-ftrl: a client takes part once in so many rounds, and noise is correlated over as many.</param>
public sealed record FederatedSettings(
    int LocalEpochs, int LocalBatch, double LocalLearningRate, int ClientTexts, double Clip, double ServerLearningRate, double ServerMomentum, int Bands)
{
    internal static FederatedSettings From(SettingsReader read, Method method) => new(
        read.Int("federated.local-epochs", 1, 1000),
        read.Int("federated.local-batch", 1, 65_536),
        read.Above("federated.local-learning-rate", 0, 100),
        read.Int("federated.client-texts", 1),
        read.Above("federated.clip", 0, 1e6),
        read.Above("federated.server-learning-rate", 0, 1e6),
        read.AutoOrFrom("federated.server-momentum", 0, 0.999) ?? (method == Method.DpFtrl ? 0 : 0.9),
        read.Int("federated.bands", 1, 8));
}

/// <summary>Central DP-SGD in which an example is a client.</summary>
/// <param name="Batch">Clients of a step, in expectation.</param>
/// <param name="ClientTokens">Tokens of a client's texts, laid end to end, that its one gradient is of.</param>
public sealed record DpSgdRunSettings(int Steps, int Batch, double LearningRate, double Clip, int ClientTokens)
{
    internal static DpSgdRunSettings From(SettingsReader read) => new(
        read.Int("dp-sgd.steps", 1, 1_000_000),
        read.Int("dp-sgd.batch", 1),
        read.Above("dp-sgd.learning-rate", 0, 100),
        read.Above("dp-sgd.clip", 1e-6, 1e6),
        read.Int("dp-sgd.client-tokens", 8, 131_072));
}
