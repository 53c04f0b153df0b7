using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Runs;

/// <summary>A disk that is full, and a journal that cannot be written: a clear end, and nothing paid twice when it goes on.</summary>
[Collection("whole runs")]
public sealed class DiskFailureTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Full as the policy is about to write candidates, to tune, or to write the product texts.
    [TinyDiskFact]
    public async Task Given_a_disk_that_is_full_again_and_again_When_room_is_made_Then_the_run_goes_on_each_time_and_pays_once()
    {
        using var disk = new TinyDisk(4096);
        var output = Path.Combine(disk.Path, "run");
        RunPreparation.New(TestRun.Settings(reference.Data), output, null, CancellationToken.None).Dispose();
        foreach (var stage in new[] { "generate", "tune", "generate", "tune", "synthesize" })
        {
            using (var context = RunPreparation.Resume(output))
            {
                var ended = await new TestRun
                {
                    Policy = (_, _, _, _) => stage == "tune" ? new StubPolicy { BeforeTuning = disk.Fill } : new StubPolicy { BeforeWriting = disk.Fill },
                }.RunAsync(context);
                Assert.True(ended is { Outcome: RunOutcome.Failed }, $"{ended}");
                Assert.StartsWith($"{stage}: ", ended.Message, StringComparison.Ordinal);
                Assert.Contains("No space left", ended.Message, StringComparison.Ordinal);
                Assert.Contains("--resume", ended.Message, StringComparison.Ordinal);
            }

            using (var context = RunPreparation.Resume(output))
            {
                var refused = await Assert.ThrowsAsync<SettingsException>(() => new TestRun().RunAsync(context));
                Assert.Contains("its disk is full", refused.Message, StringComparison.Ordinal);
            }

            disk.Empty();
        }

        using (var context = RunPreparation.Resume(output))
        {
            var ended = await new TestRun().RunAsync(context);
            Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
            Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
            Assert.Equal(reference.Figures, ReferenceRun.FiguresOf(context.Folder));
            Assert.Equal(2, (await Journal.SpendAsync(context)).Charges);
        }

        var refusal = Assert.Throws<SettingsException>(() => RunPreparation.Resume(Path.Combine(disk.ReadOnly(), "run")));
        Assert.Contains("cannot be written", refusal.Message, StringComparison.Ordinal);
    }

    // The ledger's charge of a round, or an event of the run: the journal takes no more from there on.
    [Theory]
    [InlineData("ledger", 2)]
    [InlineData("ledger", 3)]
    [InlineData("run", 4)]
    [InlineData("run", 7)]
    public async Task Given_a_journal_that_is_read_only_from_an_event_on_When_it_can_be_written_again_Then_the_run_goes_on_and_pays_once(string who, int from)
    {
        using (var context = New())
        {
            Assert.Null(await new TestRun { Policy = Waiting, StopAt = p => p.Stage == "generate" }.RunAsync(context));
            Journal.MakeReadOnly(context.Folder, who, from);
        }

        using (var context = RunPreparation.Resume(_folder.In("run")))
        {
            var ended = await new TestRun().RunAsync(context);
            Assert.Equal(RunOutcome.Failed, ended!.Outcome);
            Assert.Contains("journal", ended.Message, StringComparison.Ordinal);
            Assert.Contains("--resume", ended.Message, StringComparison.Ordinal);
            // What is not paid for is not there.
            Assert.Equal(who == "ledger" && from == 2, !File.Exists(context.Folder.Release(1)));
            Assert.False(who == "ledger" && File.Exists(context.Folder.Release(2)));
        }

        Journal.MakeWritable(new RunFolder(_folder.In("run")));
        using (var context = RunPreparation.Resume(_folder.In("run")))
        {
            var ended = await new TestRun().RunAsync(context);
            Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
            Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
            Assert.Equal(2, (await Journal.SpendAsync(context)).Charges);
        }
    }

    /// <summary>A policy that says that it is about to write, and waits there until its actor is stopped.</summary>
    private static IPolicy Waiting(RunSettings settings, IReadOnlyList<string> texts, Action<string, long, long, string> progress, CancellationToken ct) =>
        new StubPolicy
        {
            BeforeWriting = () =>
            {
                progress("generate", 0, 1, "");
                ct.WaitHandle.WaitOne(TimeSpan.FromSeconds(60));
                ct.ThrowIfCancellationRequested();
            },
        };

    private RunContext New() => RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
}
