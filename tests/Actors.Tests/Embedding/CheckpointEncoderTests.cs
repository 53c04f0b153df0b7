using Akka.TestKit.Xunit2;
using Chorus.Actors.Embedding;
using Chorus.Actors.Hosting;
using Chorus.Actors.Methods;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Embedding;

/// <summary>A run whose encoder is the reference checkpoint.</summary>
[Collection("whole runs")]
public sealed class CheckpointEncoderTests : TestKit
{
    private const string Reference = "reference/checkpoints/minilm-st";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TemporaryFolder _folder = new();

    private string Checkpoint => _folder.In("encoder");

    private string Settings(string more = "") => $$"""
        chorus.encoder { kind = checkpoint, checkpoint = "{{Checkpoint}}", dimension = auto }
        {{more}}
        """;

    [SharedFact(Reference)]
    public async Task Given_a_checkpoint_as_encoder_When_run_on_one_node_and_on_three_Then_the_releases_are_the_same_bytes()
    {
        Prepare();
        using var one = New("one");
        Assert.Equal((48, Checkpoint), (one.Settings.Encoder.Dimension, one.Settings.Encoder.Checkpoint));
        Assert.Equal(one.Settings, RunSettings.Load(one.Folder.Settings));
        await RunAsync(new TestRun(), one);
        using var three = New("three");
        await RunAsync(new TestRun { Nodes = 3 }, three);
        Assert.Equal(ReferenceRun.ReleasesOf(one.Folder), ReferenceRun.ReleasesOf(three.Folder));

        using var hashed = RunPreparation.New(TestRun.Settings(_folder.In("data")), _folder.In("hashed"), null, CancellationToken.None);
        await RunAsync(new TestRun(), hashed);
        Assert.NotEqual(ReferenceRun.ReleasesOf(one.Folder), ReferenceRun.ReleasesOf(hashed.Folder));
    }

    [SharedFact(Reference)]
    public void Given_texts_in_other_company_When_encoded_Then_their_vectors_are_the_same_bits_and_unit_long()
    {
        Prepare();
        using var encoder = CheckpointEncoder.Load(new EncoderSettings(null, Checkpoint));
        string[] texts = ["the House will now vote", "a", "", "on amendment 42 of the bill, which is a rather longer text than the others"];
        var together = new float[4 * 48];
        encoder.Encode(texts, together);
        for (var i = 0; i < 4; i++)
        {
            var alone = new float[48];
            encoder.Encode([texts[i]], alone);
            Assert.Equal(alone, together[(i * 48)..((i + 1) * 48)]);
            Assert.Equal(1, alone.Sum(x => (double)x * x), 1e-5);
        }
    }

    [SharedFact(Reference)]
    public void Given_a_changed_checkpoint_When_the_run_is_resumed_Then_it_is_refused_and_told_why()
    {
        Prepare();
        New("run").Dispose();
        RunPreparation.Resume(_folder.In("run")).Dispose();
        File.WriteAllText(Path.Combine(Checkpoint, "README.md"), "what nobody reads");
        RunPreparation.Resume(_folder.In("run")).Dispose();

        var weights = Path.Combine(Checkpoint, "model.safetensors");
        var bytes = File.ReadAllBytes(weights);
        bytes[^1] ^= 1;
        File.WriteAllBytes(weights, bytes);
        var e = Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run")));
        Assert.Contains("is not the checkpoint of this run", e.Message, StringComparison.Ordinal);

        Directory.Delete(Checkpoint, recursive: true);
        e = Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run")));
        Assert.Contains($"there is no folder {Checkpoint}", e.Message, StringComparison.Ordinal);
    }

    [SharedFact(Reference)]
    public void Given_settings_that_the_checkpoint_does_not_fit_When_a_run_is_prepared_Then_nothing_is_written()
    {
        Prepare();
        Refused("chorus.encoder.dimension = 64", "chorus.encoder.dimension must be auto or 48");
        Refused($"chorus.encoder.sha256 = {new string('0', 64)}", "is not the checkpoint of this run");
        File.Delete(Path.Combine(Checkpoint, "1_Pooling", "config.json"));
        Refused("", "chorus.encoder.checkpoint: ");

        void Refused(string more, string why)
        {
            Assert.Contains(why, Assert.Throws<SettingsException>(() => New("refused", more)).Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(_folder.In("refused")));
        }
    }

    [SharedFact(Reference)]
    public async Task Given_another_checkpoint_on_a_client_node_When_it_opens_the_run_Then_the_node_is_unfit()
    {
        Prepare();
        using var context = New("run");
        var coordinator = CreateTestProbe();
        var data = Sys.ActorOf(NodeDataActor.Props(coordinator, TimeSpan.FromMinutes(5), (settings, texts) => RoundWork.Of(settings, texts, null)));
        var description = new RunDescription("run", context.Settings.Hocon, context.Corpus.Sha256, context.Clients);

        File.AppendAllText(Path.Combine(Checkpoint, "tokenizer_config.json"), "\n");
        data.Tell(new GetRunOnNode("run"), TestActor);
        await coordinator.ExpectMsgAsync<GetRunDescription>(Patience);
        coordinator.Reply(description);
        var reason = (await ExpectMsgAsync<NodeUnfit>(Patience)).Reason;
        Assert.Contains("is not the checkpoint of this run", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(" at Chorus", reason, StringComparison.Ordinal); // a message, no stack trace
    }

    [Theory]
    [InlineData("kind = checkpoint", "chorus.encoder.checkpoint must be the folder of a sentence encoder")]
    [InlineData("checkpoint = /somewhere", "chorus.encoder.checkpoint must be empty unless encoder.kind is checkpoint")]
    [InlineData("device = gpu", "chorus.encoder.device must be auto, cpu, cuda or cuda:N")]
    [InlineData("dimension = 7", "chorus.encoder.dimension must be auto or a whole number in [8, 4096], got \"7\"")]
    [InlineData("sha256 = abc", "chorus.encoder.sha256 must be auto or 64 hexadecimal digits")]
    public void Given_encoder_settings_that_do_not_go_together_When_read_Then_the_key_is_named(string setting, string why)
    {
        var e = Assert.Throws<SettingsException>(() => TestRun.Settings("/data", $"chorus.encoder {{ {setting} }}"));
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        _folder.Dispose();
    }

    private void Prepare()
    {
        TinyCorpus.Write(_folder.In("data"), TestRun.Clients);
        var source = SharedFolder.Find(Reference)!;
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(Checkpoint, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, File.ReadAllBytes(file)); // the source may be read-only, and so would a copy be
        }
    }

    private RunContext New(string name, string more = "") =>
        RunPreparation.New(TestRun.Settings(_folder.In("data"), Settings(more)), _folder.In(name), null, CancellationToken.None);

    private static async Task RunAsync(TestRun run, RunContext context)
    {
        var ended = await run.RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
    }
}
