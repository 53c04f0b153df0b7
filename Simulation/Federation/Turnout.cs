namespace Chorus.Simulation.Federation;

/// <summary>What became of the clients that a round asked: every one is in exactly one of the counts below <paramref name="Asked"/>.</summary>
/// <remarks>Exact counts of clients, without noise: for whoever runs the simulation.</remarks>
/// <param name="Asked">Clients drawn.</param>
/// <param name="Unreachable">Not there when they were asked.</param>
/// <param name="Dropped">Began and never answered: they dropped out, or left before they were done.</param>
/// <param name="Late">Answered after the deadline.</param>
/// <param name="TurnedAway">Answered in time, but after enough others had.</param>
/// <param name="Counted">Answered and are in the sum.</param>
/// <param name="Seconds">Virtual time from the round's beginning to its close.</param>
public sealed record Turnout(int Asked, int Unreachable, int Dropped, int Late, int TurnedAway, int Counted, double Seconds);
