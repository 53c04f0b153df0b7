using Xunit.Abstractions;

namespace Chorus.Gpu.Runner;

/// <summary>Collects the tests that there are.</summary>
internal sealed class Discovery : LongLivedMarshalByRefObject, IMessageSink
{
    public List<ITestCase> Cases { get; } = [];

    public ManualResetEvent Done { get; } = new(false);

    public bool OnMessage(IMessageSinkMessage message)
    {
        if (message is ITestCaseDiscoveryMessage found)
            Cases.Add(found.TestCase);
        else if (message is IDiscoveryCompleteMessage)
            Done.Set();
        return true;
    }
}

/// <summary>Counts, and prints what failed and what was left out.</summary>
internal sealed class Results : LongLivedMarshalByRefObject, IMessageSink
{
    public int Passed { get; private set; }

    public int Failed { get; private set; }

    public int Skipped { get; private set; }

    public ManualResetEvent Done { get; } = new(false);

    public bool OnMessage(IMessageSinkMessage message)
    {
        switch (message)
        {
            case ITestPassed:
                Passed++;
                break;
            case ITestFailed failed:
                Failed++;
                Console.WriteLine($"FAILED {failed.Test.DisplayName}: {string.Join(Environment.NewLine, failed.Messages)}{Environment.NewLine}{failed.StackTraces.FirstOrDefault()}");
                break;
            case ITestSkipped skipped:
                Skipped++;
                Console.WriteLine($"skipped {skipped.Test.DisplayName}: {skipped.Reason}");
                break;
            case ITestAssemblyFinished:
                Done.Set();
                break;
        }
        return true;
    }
}

/// <summary>xunit's own defaults, but one test at a time: they share the GPU.</summary>
internal sealed class DefaultOptions : LongLivedMarshalByRefObject, ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
{
    private const string NoParallel = "xunit.execution.DisableParallelization";

    public TValue GetValue<TValue>(string name) => name == NoParallel && (object)true is TValue yes ? yes : default!;

    public void SetValue<TValue>(string name, TValue value)
    {
    }
}
