namespace Chorus.Simulation.Privacy.Audit;

/// <summary>
/// What an audit knows of one canary: how much the release looks as if the canary were in it, and whether it was. Where
/// the score comes from (votes, gradients) is no business of the statistics.
/// </summary>
/// <param name="Score">Larger speaks for being in; computed from the release without looking at <paramref name="Included"/>.</param>
/// <param name="Included">The fair coin that put the canary in or left it out, independent of all others.</param>
public readonly record struct CanaryScore(double Score, bool Included);
