using Akka.Actor;
using Chorus.Actors.Clients;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Federation;

namespace Chorus.Actors.Hosting;

/// <summary>The actors of a client node that its blocks work with.</summary>
/// <param name="Data">Knows the run's data on this node: <see cref="NodeDataActor"/>.</param>
/// <param name="Candidates">Holds the round's candidates: <see cref="Candidates.CandidateCacheActor"/>.</param>
/// <param name="Collector">Adds the blocks' sums: <see cref="Collection.CollectorActor"/>.</param>
/// <param name="Gate">What votes must be like to be added.</param>
public sealed record NodeServices(IActorRef Data, IActorRef Candidates, IActorRef Collector, VoteGate Gate);

/// <summary>A block asks its node for what a run's clients need here.</summary>
internal sealed record GetRunOnNode(string Run) : ClientProtocol.ILocal;

/// <summary>The run's data is open on this node.</summary>
/// <param name="Clients">What its clients read their own data through.</param>
/// <param name="Work">What its clients do in a round.</param>
internal sealed record RunOnNode(string Run, FederatedCorpus Corpus, ClientData Clients, BlockLayout Layout, ClientWorkFactory Work)
    : ClientProtocol.ILocal, IDisposable
{
    public void Dispose()
    {
        (Clients.Encoder as IDisposable)?.Dispose();
        Clients.Kept?.Dispose();
        Corpus.Dispose();
    }
}

/// <summary>This node cannot take part in the run, and why.</summary>
internal sealed record NodeUnfit(string Run, string Reason) : ClientProtocol.ILocal;
