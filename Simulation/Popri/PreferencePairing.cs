using System.Collections.Immutable;

namespace Chorus.Simulation.Popri;

/// <summary>Two answers to one prompt: the policy is to prefer the first.</summary>
/// <param name="Prompt">Index of the prompt.</param>
/// <param name="Chosen">Candidate index over all prompts: prompt * samplesPerPrompt + sample.</param>
/// <param name="Rejected">Likewise.</param>
public sealed record PreferencePair(int Prompt, int Chosen, int Rejected);

/// <summary>Turns released scores into preference pairs, one a prompt (POPri, arXiv:2504.16438, Algorithm 1).</summary>
public static class PreferencePairing
{
    /// <summary>
    /// Ranks the samples of each prompt by score, higher first, equal scores by candidate index, and pairs the best with
    /// the one of the given rank. Two samples of one score are still a pair.
    /// </summary>
    /// <param name="scores">[prompts * samplesPerPrompt], prompt by prompt, finite.</param>
    /// <param name="prompts">Number of prompts, at least 1.</param>
    /// <param name="samplesPerPrompt">Samples a prompt, at least 2.</param>
    /// <param name="rejectedRank">Rank of the rejected sample, 1 being the best; in [2, samplesPerPrompt]. The paper takes 5 of 10.</param>
    /// <returns>One pair a prompt, in the order of the prompts.</returns>
    /// <exception cref="ArgumentException">A number is out of range or a score is not finite.</exception>
    public static ImmutableArray<PreferencePair> Rank(ReadOnlySpan<double> scores, int prompts, int samplesPerPrompt, int rejectedRank)
    {
        if (prompts < 1)
            throw new ArgumentOutOfRangeException(nameof(prompts), $"prompts must be at least 1, got {prompts}");
        if (samplesPerPrompt < 2)
            throw new ArgumentOutOfRangeException(nameof(samplesPerPrompt), $"samples per prompt must be at least 2, got {samplesPerPrompt}");
        if (rejectedRank < 2 || rejectedRank > samplesPerPrompt)
            throw new ArgumentOutOfRangeException(nameof(rejectedRank), $"rejected rank must be in [2, {samplesPerPrompt}] (1 is the best, {samplesPerPrompt} samples a prompt), got {rejectedRank}");
        if (scores.Length != (long)prompts * samplesPerPrompt)
            throw new ArgumentException($"scores must number {prompts} prompts * {samplesPerPrompt} samples, got {scores.Length}");
        for (int i = 0; i < scores.Length; i++)
        {
            if (!double.IsFinite(scores[i]))
                throw new ArgumentException($"score {i} must be finite, got {scores[i]}");
        }

        var pairs = ImmutableArray.CreateBuilder<PreferencePair>(prompts);
        var keys = new (double Negated, int Sample)[samplesPerPrompt];
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            int first = prompt * samplesPerPrompt;
            for (int sample = 0; sample < samplesPerPrompt; sample++)
                keys[sample] = (-scores[first + sample], sample);
            Array.Sort(keys);   // no two keys are equal, so an unstable sort has one answer
            pairs.Add(new PreferencePair(prompt, first + keys[0].Sample, first + keys[rejectedRank - 1].Sample));
        }

        return pairs.MoveToImmutable();
    }

    /// <summary>The pairs whose scores differ most.</summary>
    /// <param name="pairs">At least one pair.</param>
    /// <param name="scores">By candidate index.</param>
    /// <param name="share">Of the pairs to keep, in (0, 1]; at least one is.</param>
    /// <returns>In the order in which they were.</returns>
    public static ImmutableArray<PreferencePair> Widest(ImmutableArray<PreferencePair> pairs, ReadOnlySpan<double> scores, double share)
    {
        if (!(share is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(share), $"share must be in (0, 1], got {share}");
        double[] margins = new double[pairs.Length];
        for (int i = 0; i < margins.Length; i++)
            margins[i] = scores[pairs[i].Chosen] - scores[pairs[i].Rejected];
        return [.. Enumerable.Range(0, margins.Length).OrderByDescending(i => margins[i]).Take(Math.Max(1, (int)Math.Ceiling(share * pairs.Length))).Order().Select(i => pairs[i])];
    }

    /// <summary>The share of pairs in which the chosen sample beats the rejected one without noise too.</summary>
    /// <param name="pairs">At least one pair.</param>
    /// <param name="noiseFreeScores">The scores before noise, by candidate index.</param>
    /// <returns>In [0, 1]; a tie without noise is not kept.</returns>
    public static double KeptRight(IReadOnlyList<PreferencePair> pairs, ReadOnlySpan<double> noiseFreeScores)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        if (pairs.Count == 0)
            throw new ArgumentException("there must be at least one pair");
        int kept = 0;
        foreach (PreferencePair pair in pairs)
        {
            if (noiseFreeScores[pair.Chosen] > noiseFreeScores[pair.Rejected])
                kept++;
        }

        return (double)kept / pairs.Count;
    }
}
