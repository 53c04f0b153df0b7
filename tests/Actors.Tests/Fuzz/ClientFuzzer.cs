using System.Buffers;
using Akka.Actor;
using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Hosting;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Clients.BlockProtocol;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Tests.Fuzz;

/// <summary>
/// A block of which half the clients say whatever comes to their minds, many times over, before they say anything that is of use.
/// The block must finish each lease, never fail, count every client once, and add no more than norm 1 of any.
/// </summary>
/// <remarks>What the liars' numbers are follows from the seed; in which order their messages come does not, nor need it.</remarks>
internal static class ClientFuzzer
{
    private const int Clients = 24;
    private const int Candidates = 5;
    private const int Dimension = 8;

    /// <summary>Akka settings that a system needs for it.</summary>
    public const string Hocon = "chorus.client-dispatcher { type = ForkJoinDispatcher, mailbox-type = \"Chorus.Actors.Clients.ClientMailbox, Chorus.Actors\", dedicated-thread-pool { thread-count = 2, threadtype = background } }";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Runs leases until so many messages were made up.</summary>
    /// <param name="system">With <see cref="Hocon"/>.</param>
    /// <param name="folder">An empty folder.</param>
    /// <returns>Messages made up, and leases that they were of.</returns>
    /// <exception cref="InvalidOperationException">A block did what it must not.</exception>
    public static async Task<(int Messages, int Leases)> RunAsync(ActorSystem system, string folder, int seed, int messages)
    {
        File.WriteAllText(Path.Combine(folder, "clients.json"), $"{{{string.Join(",", Enumerable.Range(0, Clients).Select(i => $"\"c{i}\":[\"text {i}\"]"))}}}");
        using var texts = ClientFile.Open(Path.Combine(folder, "clients.json"));
        var random = new Random(seed);
        float[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
        var data = new ClientData(texts, new NoEncoder(Numbers(Clients * Dimension)));
        IVoteScorer together = new CandidateScorer(new EmbeddingMatrix(Candidates, Dimension, Numbers(Candidates * Dimension))), alone = new Alone(together);
        var made = 0;
        var leases = 0;
        while (made < messages)
        {
            leases++;
            var scorer = leases % 2 == 0 ? alone : together;
            var honest = await CountAsync(system, data, scorer, client => ClientActor.Props(client), [.. Enumerable.Range(0, Clients).Where(c => c % 2 == 0)]);
            var all = await CountAsync(system, data, scorer, of => LiarProps(of, () => new Random(Interlocked.Increment(ref seed)), () => Interlocked.Increment(ref made)), [.. Enumerable.Range(0, Clients)]);
            if (all.Clients != ClientDigest.Of(Enumerable.Range(0, Clients)))
                throw new InvalidOperationException($"lease {leases} counted {all.Clients.Count} clients, or others than it was asked for");
            // Twelve votes of norm at most 1 each cannot move a sum by more than norm 12.
            var moved = all.Sum.Zip(honest.Sum, (a, b) => (double)(a - b) * (a - b)).Sum();
            var most = (double)(Clients / 2) * FixedPointGrid.UnitsPerOne;
            if (!(moved <= most * most * (1 + 1e-9)))
                throw new InvalidOperationException($"lease {leases}: {Clients / 2} liars moved the sum by {Math.Sqrt(moved) / FixedPointGrid.UnitsPerOne}");
        }

        return (made, leases);
    }

    private static async Task<CollectorProtocol.BlockCounted> CountAsync(
        ActorSystem system, ClientData data, IVoteScorer scorer, Func<ClientData, Props> clients, int[] sampled)
    {
        var result = new TaskCompletionSource<CollectorProtocol.BlockCounted>(TaskCreationOptions.RunContinuationsAsynchronously);
        var node = system.ActorOf(Props.CreateBy(new Producer<Node>(() => new Node(data, scorer, clients, sampled, result))));
        try
        {
            return await result.Task.WaitAsync(Patience);
        }
        finally
        {
            system.Stop(node);
        }
    }

    private static Props LiarProps(ClientData data, Func<Random> random, Action made) =>
        Props.CreateBy(new Producer<Liar>(() => new Liar(data, random(), made))).WithDispatcher("chorus.client-dispatcher");

    /// <summary>Everything that a block needs around it; a block that fails fails the test.</summary>
    private sealed class Node(ClientData data, IVoteScorer scorer, Func<ClientData, Props> clients, int[] sampled, TaskCompletionSource<CollectorProtocol.BlockCounted> result)
        : UntypedActor
    {
        protected override void PreStart()
        {
            var block = Context.ActorOf(BlockActor.Props(new NodeServices(Self, Self, Self, VoteGate.Clipping), clients), "block");
            var bits = new byte[(Clients + 7) / 8];
            foreach (var client in sampled)
                bits[client / 8] |= (byte)(1 << (client % 8));
            block.Tell(new VoteBlock("run", 1, 0, 1, "sha", bits));
        }

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(e =>
        {
            result.TrySetException(new InvalidOperationException("the block failed", e));
            return Directive.Stop;
        });

        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case GetRunOnNode:
                    Sender.Tell(new RunOnNode("run", null!, data, new BlockLayout(Clients, Clients), _ => scorer));
                    break;
                case CandidateProtocol.GetWork:
                    Sender.Tell(new CandidateProtocol.WorkHeld("sha", scorer));
                    break;
                case CollectorProtocol.BlockCounted counted:
                    result.TrySetResult(counted);
                    break;
                case BlockFailed failed:
                    result.TrySetException(new InvalidOperationException(failed.Reason));
                    break;
            }
        }
    }

    /// <summary>Every other client: says all kinds of things in answer to a question, and among them now and then something that could be true.</summary>
    private sealed class Liar(ClientData data, Random random, Action made) : UntypedActor
    {
        private readonly IActorRef _honest = Context.ActorOf(ClientActor.Props(data), Context.Self.Path.Name);
        private readonly int _client = int.Parse(Context.Self.Path.Name.Split('.')[0], System.Globalization.CultureInfo.InvariantCulture);

        protected override void OnReceive(object message)
        {
            if (Sender.Equals(_honest))
            {
                Context.Parent.Tell(message);
                return;
            }

            if (_client % 2 == 0)
            {
                _honest.Tell(message);
                return;
            }

            // Written before anything is said: what a client says and its numbers can be anything, but it is this process' own code,
            // and does not keep the memory that it has given back.
            if (message is SumTexts sum)
                Fill(sum.Row.Summary.Span);
            else if (message is FinishVote finish)
                Fill(finish.Row.Vote.Span);
            for (var i = random.Next(60); i > 0; i--)
                Say(MadeUp(message));
            // The last word, so that the block can come to an end: still with any vote.
            switch (message)
            {
                case SumTexts s:
                    Say(new TextsSummed(_client, s.Round, s.Lease, s.Row.Batch, s.Row.Row, VoteKind.Counted, random.Next()));
                    break;
                case FinishVote f:
                    Say(new VoteFinished(_client, f.Round, f.Lease, f.Row.Batch, f.Row.Row, Kind()));
                    break;
                case CastVote c:
                    Say(new Vote(_client, c.Round, c.Lease, Kind(), Grid(), Candidates));
                    break;
            }
        }

        private void Say(object message)
        {
            made();
            Context.Parent.Tell(message);
        }

        private object MadeUp(object question)
        {
            var (round, lease, batch, row) = question switch
            {
                SumTexts s => (s.Round, s.Lease, s.Row.Batch, s.Row.Row),
                FinishVote f => (f.Round, f.Lease, f.Row.Batch, f.Row.Row),
                CastVote c => (c.Round, c.Lease, 0, 0),
                _ => (0, 0L, 0, 0),
            };
            round = Perhaps(round);
            lease = random.Next(4) == 0 ? random.NextInt64() : lease;
            return random.Next(6) switch
            {
                0 => new Vote(Perhaps(_client), round, lease, Kind(), Grid(), Perhaps(Candidates)),
                1 => new VoteFinished(Perhaps(_client), round, lease, Perhaps(batch), Perhaps(row), Kind()),
                2 => new TextsSummed(Perhaps(_client), round, lease, Perhaps(batch), Perhaps(row), Kind(), Perhaps(1)),
                3 => new VoteFailed(Perhaps(_client) | 1 << 20, round, lease, "made up"), // of a client that is not there: its own would end the round, as it may
                4 => "not even a message of this protocol",
                _ => new CastVote("run", round, lease, null!),
            };
        }

        private int Perhaps(int value) => random.Next(3) switch
        {
            0 => random.Next(-2, 70),
            1 => random.Next(int.MinValue, int.MaxValue),
            _ => value,
        };

        private VoteKind Kind() => (VoteKind)random.Next(-1, 6);

        private long[] Grid()
        {
            if (random.Next(8) == 0)
                return null!;
            var grid = random.Next(2) == 0 ? ArrayPool<long>.Shared.Rent(Candidates) : new long[random.Next(40)];
            for (var i = 0; i < grid.Length; i++)
                grid[i] = random.Next(3) == 0 ? random.NextInt64(long.MinValue, long.MaxValue) : random.NextInt64(-1 << 24, 1 << 24);
            return grid;
        }

        private void Fill(Span<double> row)
        {
            for (var i = 0; i < row.Length; i++)
                row[i] = random.Next(3) == 0 ? random.NextDouble() - 0.5 : BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue));
        }
    }

    private sealed class NoEncoder(float[] rows) : ISentenceEncoder
    {
        public int Dimension => ClientFuzzer.Dimension;

        public void Encode(IReadOnlyList<string> texts, Span<float> destination) =>
            rows.AsSpan(int.Parse(texts[0][5..], System.Globalization.CultureInfo.InvariantCulture) * Dimension, Dimension).CopyTo(destination);
    }

    private sealed class Alone(IVoteScorer inner) : IVoteScorer
    {
        public int Count => inner.Count;

        public int Dimension => inner.Dimension;

        public int VoteLength => inner.VoteLength;

        public VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote) => inner.Vote(textEmbeddings, vote);

        public double[] Scores(ReadOnlySpan<double> sum) => inner.Scores(sum);
    }

    private sealed class Producer<T>(Func<ActorBase> make) : IIndirectActorProducer
    {
        public Type ActorType => typeof(T);

        public ActorBase Produce() => make();

        public void Release(ActorBase actor)
        {
        }
    }
}
