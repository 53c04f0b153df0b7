namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>An epsilon that is certainly enough, and one that is certainly not too much.</summary>
/// <param name="Lower">The releases cost at least this.</param>
/// <param name="Upper">The releases cost at most this: the figure to state.</param>
public readonly record struct EpsilonBounds(double Lower, double Upper);
