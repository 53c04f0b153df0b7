using System.Runtime.Serialization;
using System.Text;
using Akka.Configuration;
using Akka.Serialization;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Ledger;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Serialization;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Fuzz;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Tests.Serialization;

/// <summary>With the bindings of cluster.conf, as every node has them.</summary>
public sealed class ChorusSerializerTests() : TestKit(
    ConfigurationFactory.ParseString("akka.actor.provider = local, akka.loglevel = OFF, akka.stdout-loglevel = OFF, akka.extensions = []")
        .WithFallback(HoconFiles.Embedded("cluster.conf")))
{
    public static TheoryData<Type> KnownTypes => [.. ChorusSerializer.KnownTypes];

    public static TheoryData<Type> LocalTypes => [.. TypesOf(typeof(ClientProtocol.ILocal))];

    private SerializerWithStringManifest Serializer =>
        (SerializerWithStringManifest)Sys.Serialization.FindSerializerForType(typeof(CollectorProtocol.ClaimBlock));

    [Theory]
    [MemberData(nameof(KnownTypes))]
    public void Given_a_message_of_any_known_type_When_sent_and_received_Then_it_is_the_same(Type type)
    {
        var message = SampleMessages.Of(type);
        var serializer = Assert.IsType<ChorusSerializer>(Sys.Serialization.FindSerializerFor(message));
        var read = serializer.FromBinary(serializer.ToBinary(message), serializer.Manifest(message));
        Assert.IsType(type, read);
        Assert.Equivalent(message, read, strict: true);
    }

    [Fact]
    public void Given_every_run_message_and_event_When_looked_for_Then_the_serializer_knows_it()
    {
        var needed = TypesOf(typeof(IRunMessage)).Concat(TypesOf(typeof(LedgerProtocol.IEvent))).ToHashSet();
        Assert.Superset(needed, ChorusSerializer.KnownTypes.ToHashSet());
        Assert.True(needed.Count > 30, $"only {needed.Count} types were found to look for");
    }

    [Fact]
    public void Given_all_manifests_When_compared_Then_each_is_one_types_and_carries_a_version()
    {
        var manifests = ChorusSerializer.KnownTypes.Select(t => Serializer.Manifest(SampleMessages.Of(t))).ToArray();
        Assert.Equal(manifests.Length, manifests.Distinct().Count());
        Assert.All(manifests, m => Assert.Matches("^[a-z-]+/[a-z-]+/[0-9]+$", m));
    }

    [Fact]
    public void Given_bytes_of_a_newer_version_When_read_Then_they_are_refused_with_their_manifest()
    {
        var e = Assert.Throws<SerializationException>(() => Serializer.FromBinary([], "collector/claim/3"));
        Assert.Contains("collector/claim/3", e.Message, StringComparison.Ordinal);
        // Only listed types are ever made from bytes, whatever a manifest names.
        Assert.Throws<SerializationException>(() => Serializer.FromBinary("{}"u8.ToArray(), typeof(FileInfo).AssemblyQualifiedName!));
    }

    [Theory]
    [InlineData(typeof(object))]
    [InlineData(typeof(Uri))]
    [InlineData(typeof(Exception))]
    [InlineData(typeof(RunProtocol.RunEnded))]
    public void Given_a_type_without_a_serializer_of_its_own_When_it_would_be_sent_Then_it_is_refused_and_no_json_is_made_of_it(Type type) =>
        Assert.IsType<NoSerializer>(Sys.Serialization.FindSerializerForType(type));

    // Fields of a later version of the same message: skipped, not refused, so that a node can be the first to be updated.
    [Fact]
    public void Given_a_message_with_a_field_more_When_read_Then_the_rest_is_what_it_is()
    {
        var claim = new CollectorProtocol.ClaimBlock("run", 1, 2, 3, "c/0");
        byte[] more = [.. Serializer.ToBinary(claim), 0xA2, 0x06, 0x03, 1, 2, 3]; // field 100, three bytes
        Assert.Equal(claim, Serializer.FromBinary(more, Serializer.Manifest(claim)));
    }

    [Fact]
    public void Given_sums_and_embeddings_When_sent_Then_they_are_smaller_than_their_numbers()
    {
        var random = new Random(1);
        double Gaussian() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(Math.Tau * random.NextDouble());
        long[] sum = [.. Enumerable.Range(0, 18_000).Select(_ => (long)(Gaussian() * 36_000 * (1 << 24) / 500))];
        var partial = new CollectorProtocol.PartialSum("run", 1, "c/0", [], sum, default, VoteTally.None);
        Assert.InRange(Serializer.ToBinary(partial).Length, 1, 0.65 * 8 * sum.Length);
        Assert.Equal(sum, ((CollectorProtocol.PartialSum)Serializer.FromBinary(Serializer.ToBinary(partial), Serializer.Manifest(partial))).Sum);

        float[] floats = [.. Enumerable.Range(0, 1 << 18).Select(_ => (float)Gaussian() / 20)];
        var chunk = new CandidateProtocol.Chunk("run", 1, "sha", 0, 1, System.Runtime.InteropServices.MemoryMarshal.AsBytes(floats.AsSpan()).ToArray());
        Assert.InRange(Serializer.ToBinary(chunk).Length, 1, 0.87 * chunk.Bytes.Length);
        Assert.Equal(chunk.Bytes, ((CandidateProtocol.Chunk)Serializer.FromBinary(Serializer.ToBinary(chunk), Serializer.Manifest(chunk))).Bytes);
    }

    [Theory]
    [MemberData(nameof(LocalTypes))]
    public void Given_a_message_that_must_stay_in_its_process_When_it_would_be_sent_or_read_Then_it_is_refused(Type type)
    {
        var serializer = Assert.IsType<LocalOnlySerializer>(Sys.Serialization.FindSerializerForType(type));
        var message = System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(type);
        Assert.Throws<NotSupportedException>(() => serializer.ToBinary(message));
        Assert.Throws<NotSupportedException>(() => serializer.FromBinary([], type));
    }

    [Fact]
    public void Given_what_carries_a_vote_or_a_blocks_sum_When_looked_for_Then_it_is_marked_local() => Assert.Superset(
        new HashSet<Type>
        {
            typeof(ClientProtocol.CastVote), typeof(ClientProtocol.Vote), typeof(ClientProtocol.VoteFailed),
            typeof(CollectorProtocol.BlockCounted), typeof(CandidateProtocol.WorkHeld), typeof(Actors.Hosting.RunOnNode),
        },
        TypesOf(typeof(ClientProtocol.ILocal)).ToHashSet());

    // The file was written by hand, and with protoc, and only ever grows: what a journal holds must be read for ever.
    [Fact]
    public void Given_the_bytes_of_old_journals_When_read_Then_every_event_is_what_it_was()
    {
        var read = Fixture("journal-events.txt");
        object[] expected =
        [
            new RunProtocol.RunStarted("quickstart-0123456789ab", "5e77", "da7a", 2000),
            new RunProtocol.CandidatesMade("quickstart-0123456789ab", 1, "ca4d", 400, 12.5),
            new RunProtocol.LeasingStarted("quickstart-0123456789ab", 1, 2),
            new RunProtocol.ReleaseMade(
                "quickstart-0123456789ab", 1, "4e1e", 2000, 1990, "c11e", new VoteTally(3, 2, 1), new PrivacySpend(1, 2.25, 1e-5), 8.5, null),
            new RunProtocol.ReleaseMade(
                "quickstart-0123456789ab", 2, "4e1f", 2000, 2000, "c11f", new VoteTally(0, 0, 0), new PrivacySpend(2, 3.5, 1e-5), 8.25, 0.75),
            new RunProtocol.PolicyAdvanced("quickstart-0123456789ab", 1, "ada9", 40, 10, 0.6931, 0.5, 0.875, 30),
            new RunProtocol.RoundEvaluated("quickstart-0123456789ab", 1, 0.125, 0.5, 1.5),
            new RunProtocol.SyntheticWritten("quickstart-0123456789ab", "5781", 3000, 0.25, 0.5, 60),
            new RunProtocol.DownstreamMeasured("quickstart-0123456789ab", [new ArmMeasured("floor", 6000, 4, 3, 0.25, 0.125, 10000)], 90),
            new RunProtocol.RunFinished("quickstart-0123456789ab", 240.5),
            new LedgerProtocol.LedgerOpened(new PrivacyBudget(PrivacyUnit.Client, Adjacency.AddOrRemoveOne, 7, 1e-5)),
            new LedgerProtocol.ChargeMade("quickstart-0123456789ab/round-001", new PrivacyEvent(Mechanism.DiscreteGaussian, 1.75, Sampling.Full)),
            new RunProtocol.RunStarted("quickstart-0123456789ab", "5e77", "da7a", 2000, 18446744073709551615),
            new LedgerProtocol.LedgerOpened(new PrivacyBudget(PrivacyUnit.Client, Adjacency.ReplaceOne, 7, 1e-5), "da7a"),
            new LedgerProtocol.ChargeMade("quickstart-0123456789ab.0f/round-001", new PrivacyEvent(Mechanism.DiscreteGaussian, 1.75, new PoissonSampling(0.25))),
            new LedgerProtocol.ChargeMade("quickstart-0123456789ab.0f/round-002", new PrivacyEvent(Mechanism.Gaussian, 2, new FixedSizeSampling(10, 400), 3)),
            new RunProtocol.SyntheticWritten("quickstart-0123456789ab", "5781", 3000, 0.25, 0.5, 60, new TextMeasures(
                0.75, 13, new TextSetMeasures(500, 0.125, 0.25, 0.5, new CopyShare(0.25, 7, 21), new CopyShare(0.5, 6, 20)),
                new TextSetMeasures(500, 0.125, 0.25, null, new CopyShare(0.125, 5, 18), null))),
            new RunProtocol.DownstreamMeasured(
                "quickstart-0123456789ab", [new ArmMeasured("floor", 6000, 4, 3, 0.25, 0.125, 10000) { Topics = [new TopicAccuracy("corn, rye", 6000, 0.25)] }], 90),
            new RunProtocol.ReleaseMade(
                "quickstart-0123456789ab", 1, "4e1e", 50, 50, "c11e", new VoteTally(3, 2, 1), new PrivacySpend(1, 2.25, 1e-5), 8.5, null,
                new Turnout(80, 10, 9, 8, 3, 50, 42.5)),
            new RunProtocol.RunStarted("quickstart-0123456789ab", "5e77", "da7a", 2000, 18446744073709551615),
            new RunProtocol.RunStarted("quickstart-0123456789ab", "5e77", "da7a", 2000),
            new RunProtocol.CandidatesMade("quickstart-0123456789ab", 1, "ca4d", 400, 12.5),
            new RunProtocol.LeasingStarted("quickstart-0123456789ab", 1, 2),
            new RunProtocol.ReleaseMade(
                "quickstart-0123456789ab", 1, "4e1e", 2000, 1990, "c11e", new VoteTally(3, 2, 1, 4, 5), new PrivacySpend(1, 2.25, 1e-5), 8.5, null,
                new Turnout(80, 10, 9, 8, 3, 50, 42.5)),
            new RunProtocol.ReleaseMade(
                "quickstart-0123456789ab", 2, "4e1f", 2000, 2000, "c11f", new VoteTally(0, 0, 0), new PrivacySpend(2, 3.5, 1e-5), 8.25, 0.75),
            new RunProtocol.PolicyAdvanced("quickstart-0123456789ab", 1, "ada9", 40, 10, 0.6931, 0.5, 0.875, 30),
            new RunProtocol.RoundEvaluated("quickstart-0123456789ab", 1, 0.125, 0.5, 1.5),
            new RunProtocol.RoundEvaluated("quickstart-0123456789ab", 1, null, null, 1.5),
            new RunProtocol.SyntheticWritten("quickstart-0123456789ab", "5781", 3000, 0.25, 0.5, 60, new TextMeasures(
                0.75, 13, new TextSetMeasures(500, 0.125, 0.25, 0.5, new CopyShare(0.25, 7, 21), new CopyShare(0.5, 6, 20)),
                new TextSetMeasures(500, 0.125, 0.25, null, new CopyShare(0.125, 5, 18), null))),
            new RunProtocol.DownstreamMeasured(
                "quickstart-0123456789ab", [new ArmMeasured("floor", 6000, 4, 3, 0.25, 0.125, 10000) { Topics = [new TopicAccuracy("corn, rye", 6000, 0.25)] }], 90),
            new RunProtocol.RunFinished("quickstart-0123456789ab", 240.5),
            new LedgerProtocol.LedgerOpened(new PrivacyBudget(PrivacyUnit.Client, Adjacency.ReplaceOne, 7, 1e-5), "da7a"),
            new LedgerProtocol.LedgerOpened(new PrivacyBudget(PrivacyUnit.Example, Adjacency.AddOrRemoveOne, 7, 1e-5)),
            new LedgerProtocol.ChargeMade("quickstart-0123456789ab.0f/round-001", new PrivacyEvent(Mechanism.DiscreteGaussian, 1.75, new PoissonSampling(0.25))),
            new LedgerProtocol.ChargeMade("quickstart-0123456789ab.0f/round-002", new PrivacyEvent(Mechanism.Gaussian, 2, new FixedSizeSampling(10, 400), 3)),
            new LedgerProtocol.ChargeMade("quickstart-0123456789ab.0f/round-003", new PrivacyEvent(Mechanism.DiscreteGaussian, 2, Sampling.Full)),
        ];
        Assert.Equal(expected.Length, read.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equivalent(expected[i], read[i], strict: true);
        var kinds = TypesOf(typeof(RunProtocol.IEvent)).Concat(TypesOf(typeof(LedgerProtocol.IEvent)));
        Assert.Equal(kinds.ToHashSet(), read.Select(e => e.GetType()).ToHashSet());
    }

    [Fact]
    public void Given_the_bytes_of_old_messages_When_read_Then_every_message_is_what_it_was()
    {
        const string run = "quickstart-0123456789ab";
        const long lease = 4294967297;
        var read = Fixture("wire-messages.txt");
        object[] expected =
        [
            new RunProtocol.GetRunDescription(run),
            read[1], // its settings are looked at below
            read[2],
            new BlockProtocol.VoteBlock(run, 1, 3, lease, "ca4d", [255, 15]),
            new BlockProtocol.BlockFailed(run, 1, 3, lease, "no disk"),
            new CandidateProtocol.GetChunk(run, 1, "ca4d", 2),
            new CandidateProtocol.Chunk(run, 1, "ca4d", 2, 5, [1, 2, 3, 255]),
            new CollectorProtocol.ClaimBlock(run, 1, 3, lease, "akka.tcp://chorus@h:1#7/ab/0"),
            new CollectorProtocol.BlockGranted(run, 1, 3, lease),
            new CollectorProtocol.BlockDenied(run, 1, 3, lease),
            new CollectorProtocol.CollectorRevoked(run, 1, "c/0"),
            new CollectorProtocol.PartialMerged(run, 1, "c/0"),
            new CollectorProtocol.DeliverPartial(run, 1),
            new CollectorProtocol.PartialSum(run, 1, "c/0", [new(0, 1), new(2, 4294967298)], [5, -7, 1L << 40], ClientDigest.Of([0, 1, 5]), new VoteTally(1, 0, 2)),
            new CollectorProtocol.RoundClosed(run, 1),
            new PolicyProtocol.GenerateCandidates(run, "/runs/a", 1),
            new PolicyProtocol.CandidatesGenerated(run, 1, "ca4d", 400, 12.5),
            new PolicyProtocol.TunePolicy(run, "/runs/a", 1),
            new PolicyProtocol.PolicyTuned(run, 1, "ada9", 0, 10, 0.75, 0.5, double.NaN, 30),
            new PolicyProtocol.WriteSynthetic(run, "/runs/a", 6),
            new PolicyProtocol.SyntheticMade(run, "5781", 3000, 60),
            new EvaluationProtocol.MeasureDownstream(run, "/runs/a"),
            new EvaluationProtocol.DownstreamDone(run, [new ArmMeasured("floor", 6000, 4, 3, 0.25, 0.125, 10000)], 90),
            new StepProgress(run, "generate", 5, 400, "texts"),
            new StepFailed(run, "generate", "no memory", true),
        ];
        Assert.Equal(expected.Length, read.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equivalent(expected[i], read[i], strict: true);

        var (given, synthesised) = (SettingsOf(read[1]), SettingsOf(read[2]));
        Assert.Equal(("/data/a \"b\"", 100, 384, "", null), (given.Data.Directory, given.Clients.BlockSize, given.Encoder.Dimension, given.Encoder.Checkpoint, given.Encoder.Sha256));
        Assert.Equal(
            new Simulation.Data.SynthesisSettings { Flavour = Simulation.Data.CorpusFlavour.Biorxiv, Clients = 7, Seed = 8, Alpha = 0.5, InitialTexts = 99, EvalClients = 11 },
            synthesised.Data.Synthesis);
        Assert.Equal(
            ("/models/mini", "cuda:1", string.Concat(Enumerable.Repeat("e4c0", 16)), 4),
            (synthesised.Encoder.Checkpoint, synthesised.Encoder.Device, synthesised.Encoder.Sha256, synthesised.Clients.BlockSize));

        RunSettings SettingsOf(object description) => RunSettings.From(
            ("an old message", ConfigurationFactory.ParseString(Assert.IsType<RunProtocol.RunDescription>(description).Settings)));
    }

    // JSON as it was written until wire.proto; since then Protobuf, which the file has as base64.
    private object[] Fixture(string name) =>
    [
        .. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "fixtures", name))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split(' ', 2))
            .Select(parts => Serializer.FromBinary(parts[1][0] == '{' ? Encoding.UTF8.GetBytes(parts[1]) : Convert.FromBase64String(parts[1]), parts[0])),
    ];

    private static IEnumerable<Type> TypesOf(Type marker) =>
        typeof(ChorusSerializer).Assembly.GetTypes().Where(t => marker.IsAssignableFrom(t) && t is { IsInterface: false, IsAbstract: false });
}
