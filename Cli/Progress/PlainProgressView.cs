using System.Diagnostics;

namespace Chorus.Cli.Progress;

/// <summary>Plain lines, for logs and pipes: the start of a step, then one line every ten seconds.</summary>
internal sealed class PlainProgressView : RunProgressView
{
    private readonly Lock _lock = new();
    private string _step = "";
    private long _said;

    public override void Say(string line)
    {
        lock (_lock)
            Console.WriteLine(line);
    }

    protected override void Step(string name, long done, long total, string detail)
    {
        lock (_lock)
        {
            if (name == _step && Stopwatch.GetElapsedTime(_said) < TimeSpan.FromSeconds(10))
                return;
            (_step, _said) = (name, Stopwatch.GetTimestamp());
            Console.WriteLine($"  {name}{(total > 0 ? $" {done:N0}/{total:N0}" : "")}{(detail.Length > 0 ? $" ({detail})" : "")}");
        }
    }
}
