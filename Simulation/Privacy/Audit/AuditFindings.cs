using System.Collections.Immutable;

namespace Chorus.Simulation.Privacy.Audit;

/// <summary>One way of guessing, fixed beforehand: in every run the highest and the lowest scores, so many of each.</summary>
/// <param name="Fraction">Share of a run's canaries guessed on each side.</param>
/// <param name="Guesses">In all runs together.</param>
/// <param name="Right">How many of them were right.</param>
/// <param name="Epsilon">Lower bound from these guesses alone, its share of the error paid.</param>
public sealed record GuessResult(double Fraction, int Guesses, int Right, double Epsilon);

/// <summary>What an audit found of one mechanism: lower bounds on its epsilon at one delta.</summary>
/// <param name="Runs">Runs with coins and noise of their own.</param>
/// <param name="Canaries">Canaries in each.</param>
/// <param name="EpsilonLower">The headline: the best of <paramref name="Guesses"/>. Assumes nothing of the mechanism.</param>
/// <param name="Gaussian">A bound that assumes a Gaussian trade-off curve.</param>
public sealed record AuditFindings(
    double Delta, double Confidence, int Runs, int Canaries, double EpsilonLower, ImmutableArray<GuessResult> Guesses, GaussianReading Gaussian)
{
    /// <summary>
    /// Shares of the canaries guessed on each side. Fixed here, so that nobody looks at the outcome first; which of them
    /// is best depends on epsilon, so all are tried and share the error between them (Bonferroni).
    /// </summary>
    public static ImmutableArray<double> Fractions { get; } = [0.004, 0.01, 0.02, 0.05];

    /// <summary>
    /// The bounds. All of them hold together with the confidence given: half of the error goes to the headline, in equal
    /// parts to its fractions, and half to the Gaussian reading.
    /// </summary>
    /// <param name="runs">Each the scores of one run's canaries: at least one run, all of one length of at least 2. Equal scores keep their order, which must not depend on who is in.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <param name="confidence">In (0, 1), such as 0.95.</param>
    /// <exception cref="ArgumentException">No run, too few canaries, a score that is not a number, or a parameter out of range.</exception>
    public static AuditFindings Of(IReadOnlyList<IReadOnlyList<CanaryScore>> runs, double delta, double confidence)
    {
        ArgumentNullException.ThrowIfNull(runs);
        if (runs.Count == 0 || runs.Any(r => r.Count < 2 || r.Count != runs[0].Count))
            throw new ArgumentException("an audit needs at least one run, and in every run the same number of canaries, two or more");
        if (runs.Any(r => r.Any(s => double.IsNaN(s.Score))))
            throw new ArgumentException("a canary's score must be a number");
        if (!(delta > 0 && delta < 1))
            throw new ArgumentOutOfRangeException(nameof(delta), $"delta must be in (0, 1), got {delta:R}");
        if (!(confidence > 0 && confidence < 1))
            throw new ArgumentOutOfRangeException(nameof(confidence), $"confidence must be in (0, 1), got {confidence:R}");
        double error = (1 - confidence) / 2;
        CanaryScore[][] sorted = [.. runs.Select(r => r.OrderBy(s => s.Score).ToArray())];
        ImmutableArray<GuessResult> guesses = [.. Fractions.Select(f => Guess(sorted, f, delta, error / Fractions.Length))];
        return new(
            delta, confidence, runs.Count, runs[0].Count, guesses.Max(g => g.Epsilon), guesses,
            GaussianReading.Of([.. runs.SelectMany(r => r)], delta, error));
    }

    /// <summary>Whether the findings contradict a claim: by the headline, or by the Gaussian reading.</summary>
    public bool Refute(double claimedEpsilon) => EpsilonLower > claimedEpsilon || Gaussian.Epsilon > claimedEpsilon;

    private static GuessResult Guess(CanaryScore[][] sorted, double fraction, double delta, double error)
    {
        int canaries = sorted[0].Length;
        int side = Math.Clamp((int)Math.Round(fraction * canaries), 1, canaries / 2);
        int right = sorted.Sum(run => run.Take(side).Count(s => !s.Included) + run.TakeLast(side).Count(s => s.Included));
        return new(
            fraction, 2 * side * sorted.Length, right,
            OneRunBound.Epsilon(sorted.Length, canaries, 2 * side, right, delta, error));
    }
}
