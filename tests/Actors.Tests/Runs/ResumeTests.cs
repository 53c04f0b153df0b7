using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Runs;

[Collection("whole runs")]
public sealed class ResumeTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_a_run_that_is_stopped_in_feedback_and_again_in_tuning_When_resumed_Then_all_is_as_if_nothing_had_happened()
    {
        using (var context = RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None))
            Assert.Null(await new TestRun { StopAt = p => p is { Stage: "feedback", Done: > 0 } }.RunAsync(context));
        using (var context = RunPreparation.Resume(_folder.In("run")))
        {
            Assert.InRange((await Journal.SpendAsync(context)).Charges, 0, 1);
            Assert.Null(await new TestRun { Policy = Talking, StopAt = p => p.Stage == "tune" }.RunAsync(context));
        }

        using (var context = RunPreparation.Resume(_folder.In("run")))
        {
            Assert.Equal(1, (await Journal.SpendAsync(context)).Charges);
            await FinishAsync(context);
        }
    }

    // After: what the run's journal still holds. Event 3 begins the leasing of round 1, so its release is written and
    // paid for but not yet known; 4 is that release, 5 the tuned policy, 11 the last round's evaluation, 12 the product, 14 the end, of which only the report is lost.
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(12)]
    [InlineData(14)]
    public async Task Given_a_crash_after_a_durable_event_When_resumed_Then_releases_figures_and_charges_are_the_same(int after)
    {
        Copy(reference.Folder.Path, _folder.In("run"));
        Journal.Cut(new RunFolder(_folder.In("run")), after);
        File.Delete(new RunFolder(_folder.In("run")).Result);
        using var context = RunPreparation.Resume(_folder.In("run"));
        await FinishAsync(context);
    }

    [Fact]
    public async Task Given_noise_that_nobody_can_repeat_When_the_release_was_written_before_the_crash_Then_it_is_that_release_and_is_paid_once()
    {
        string written;
        using (var context = RunPreparation.New(
            TestRun.Settings(reference.Data, "chorus.privacy.reproducible-noise = off, chorus.rounds = 1, chorus.evaluation.downstream = off"),
            _folder.In("run"), null, CancellationToken.None))
        {
            Assert.Null(await new TestRun { Policy = Talking, StopAt = p => p.Stage == "tune" }.RunAsync(context));
            written = RunFolder.ReadJson<Release>(context.Folder.Release(1)).Sha256();
            Assert.DoesNotContain(written, reference.Releases);
            Journal.Cut(context.Folder, 3);
        }

        using (var context = RunPreparation.Resume(_folder.In("run")))
        {
            var ended = await new TestRun().RunAsync(context);
            Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
            Assert.Equal(written, RunFolder.ReadJson<Release>(context.Folder.Release(1)).Sha256());
            Assert.Contains(written, File.ReadAllText(context.Folder.Result), StringComparison.Ordinal);
            Assert.Equal(1, (await Journal.SpendAsync(context)).Charges);
        }
    }

    // 2: the round's candidates are made, so their embeddings are needed. 4: released, so the release is.
    [Theory]
    [InlineData(2, "candidates.bin", null)]
    [InlineData(2, "candidates.bin", "other bytes")]
    [InlineData(4, "release.json", null)]
    [InlineData(4, "release.json", "{ \"round\": ")]
    public async Task Given_a_folder_that_lost_a_file_When_resumed_Then_the_run_ends_and_names_it(int after, string name, string? instead)
    {
        Copy(reference.Folder.Path, _folder.In("run"));
        var folder = new RunFolder(_folder.In("run"));
        Journal.Cut(folder, after);
        var file = Path.Combine(folder.Path, "rounds", "001", name);
        File.Delete(file);
        if (instead is not null)
            File.WriteAllText(file, instead);
        using var context = RunPreparation.Resume(folder.Path);

        var ended = await new TestRun().RunAsync(context);

        Assert.Equal(RunOutcome.Failed, ended!.Outcome);
        Assert.Contains(name, ended.Message, StringComparison.Ordinal);
    }

    private async Task FinishAsync(RunContext context)
    {
        var ended = await new TestRun().RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
        Assert.Equal(reference.Figures, ReferenceRun.FiguresOf(context.Folder));
        Assert.Equal(2, (await Journal.SpendAsync(context)).Charges);
    }

    /// <summary>A policy that says when it is about to tune, and waits there until its actor is stopped.</summary>
    private static IPolicy Talking(RunSettings settings, IReadOnlyList<string> texts, Action<string, long, long, string> progress, CancellationToken ct) =>
        new StubPolicy
        {
            BeforeTuning = () =>
            {
                progress("tune", 0, 1, "");
                ct.WaitHandle.WaitOne(TimeSpan.FromSeconds(60));
                ct.ThrowIfCancellationRequested();
            },
        };

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
