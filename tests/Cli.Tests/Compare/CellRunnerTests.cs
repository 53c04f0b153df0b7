using Chorus.Actors.Settings;
using Chorus.Cli.Compare;

namespace Chorus.Cli.Tests.Compare;

public sealed class CellRunnerTests
{
    [Fact]
    public void Given_a_gpu_When_a_cell_is_started_Then_its_process_sees_that_one_and_its_settings_do_not_name_it()
    {
        var plan = ComparisonPlan.Of(RunSettings.From(HoconFiles.Run("quickstart-gpu")), [Method.Popri], [1], [5], Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()));
        var cell = plan.Cells.Single(c => c.Method == Method.Popri);
        var runner = new CellRunner(plan);

        var start = runner.StartOf(cell, "3");
        Assert.Equal("3", start.Environment[GpuShares.Variable]);
        Assert.DoesNotContain(start.ArgumentList, a => a.Contains("device", StringComparison.Ordinal));
        Assert.Equal("cuda", cell.Settings.Policy.Device);
        Assert.Equal(Environment.GetEnvironmentVariable(GpuShares.Variable), runner.StartOf(cell, null).Environment.TryGetValue(GpuShares.Variable, out var inherited) ? inherited : null);
    }
}
