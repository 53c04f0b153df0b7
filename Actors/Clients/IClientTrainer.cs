using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Clients;

/// <summary>Work in which a client trains a model on its own texts, on its node's device.</summary>
public interface IClientTrainer : IClientWork
{
    /// <summary>Trains from the round's model and gives the clipped change of its weights, as the release adds it up.</summary>
    /// <param name="texts">The client's own; they go no further than the device's thread of this process.</param>
    /// <returns>
    /// A task that the device's own thread completes: what became of the vote, and its first <see cref="IClientWork.VoteLength"/>
    /// numbers on the fixed-point grid, of L2 norm at most 1 and zero unless the kind is Counted, in an array rented from the shared pool.
    /// </returns>
    Task<(VoteKind Kind, long[] Grid)> TrainAsync(IReadOnlyList<string> texts);
}
