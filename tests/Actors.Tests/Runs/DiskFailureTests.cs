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

    // A little more room after each end: so it ends at one event or file after the other.
    [TinyDiskFact]
    public async Task Given_a_disk_that_is_full_again_and_again_When_room_is_made_Then_the_run_goes_on_each_time_and_pays_once()
    {
        using var disk = new TinyDisk(64);
        var (output, room, ends) = (Path.Combine(disk.Path, "run"), 64, new List<string>());
        while (true)
        {
            Assert.True(room < 4096, string.Join(Environment.NewLine, ends));
            try
            {
                using var context = File.Exists(new RunFolder(output).Settings)
                    ? RunPreparation.Resume(output)
                    : RunPreparation.New(TestRun.Settings(reference.Data), output, null, CancellationToken.None);
                var ended = await new TestRun().RunAsync(context);
                if (ended!.Outcome == RunOutcome.Done)
                {
                    Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
                    Assert.Equal(reference.Figures, ReferenceRun.FiguresOf(context.Folder));
                    Assert.Equal(2, (await Journal.SpendAsync(context)).Charges);
                    break;
                }

                Assert.Equal(RunOutcome.Failed, ended.Outcome);
                Assert.Contains("--resume", ended.Message, StringComparison.Ordinal);
                ends.Add(ended.Message);
            }
            catch (SettingsException e)
            {
                Assert.Contains("cannot be written", e.Message, StringComparison.Ordinal);
                ends.Add(e.Message);
            }

            disk.Resize(room += 24);
        }

        Assert.True(ends.Count >= 3, $"only {ends.Count} ends, {room} kB");
        Assert.Contains(ends, end => end.Contains("full", StringComparison.Ordinal));
        disk.MakeReadOnly();
        var refused = Assert.Throws<SettingsException>(() => RunPreparation.Resume(output));
        Assert.Contains("cannot be written", refused.Message, StringComparison.Ordinal);
        disk.MakeWritable();
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
            Assert.Null(await new TestRun { StopAt = p => p.Stage == "generate" || p.Stage == "start" }.RunAsync(context));
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

    private RunContext New() => RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
}
