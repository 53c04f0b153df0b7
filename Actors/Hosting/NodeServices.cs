using Akka.Actor;
using Chorus.Actors.Clients;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;

namespace Chorus.Actors.Hosting;

/// <summary>The actors of a client node that its blocks work with.</summary>
/// <param name="Data">Knows the run's data on this node: <see cref="NodeDataActor"/>.</param>
/// <param name="Candidates">Holds the round's candidates: <see cref="Candidates.CandidateCacheActor"/>.</param>
/// <param name="Collector">Adds the blocks' sums: <see cref="Collection.CollectorActor"/>.</param>
public sealed record NodeServices(IActorRef Data, IActorRef Candidates, IActorRef Collector);

/// <summary>A block asks its node for what a run's clients need here.</summary>
internal sealed record GetRunOnNode(string Run) : ClientProtocol.ILocal;

/// <summary>The run's data is open on this node.</summary>
/// <param name="Work">What its clients do in a round.</param>
internal sealed record RunOnNode(string Run, FederatedCorpus Corpus, ISentenceEncoder Encoder, BlockLayout Layout, ClientWorkFactory Work)
    : ClientProtocol.ILocal, IDisposable
{
    public void Dispose()
    {
        (Encoder as IDisposable)?.Dispose();
        Corpus.Dispose();
    }
}

/// <summary>This node cannot take part in the run, and why.</summary>
internal sealed record NodeUnfit(string Run, string Reason) : ClientProtocol.ILocal;
