using Spectre.Console;

namespace Chorus.Cli.Progress;

/// <summary>One bar for the step that goes on now; what is done scrolls away above it as lines.</summary>
internal sealed class BarProgressView : RunProgressView
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ProgressTask> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _drawing;

    public BarProgressView() => _drawing = AnsiConsole.Progress()
        .AutoClear(true)
        .Columns(new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
        .StartAsync(async context =>
        {
            _started.SetResult(context.AddTask("starting", autoStart: true));
            await _over.Task;
        });

    public override void Say(string line) => AnsiConsole.WriteLine(line);

    public override async ValueTask DisposeAsync()
    {
        _over.TrySetResult();
        await _drawing;
    }

    protected override void Step(string name, long done, long total, string detail)
    {
        if (!_started.Task.IsCompletedSuccessfully)
            return;
        lock (_lock)
        {
            var bar = _started.Task.Result;
            bar.Description = Markup.Escape(detail.Length > 0 ? $"{name}: {detail}" : name);
            bar.IsIndeterminate = total <= 0;
            bar.MaxValue = Math.Max(1, total);
            bar.Value = Math.Min(done, total);
        }
    }
}
