// Usage: Chorus.Gpu.Runner [PART_OF_A_TEST_NAME ...]   runs the tests of Chorus.Gpu.Tests whose names hold one of the parts; all without.
using System.Reflection;
using Chorus.Gpu.Runner;
using Xunit.Abstractions;
using Xunit.Sdk;

var assembly = Assembly.Load("Chorus.Gpu.Tests");
using var framework = new XunitTestFramework(new NullMessageSink());
var options = new DefaultOptions();
var found = new Discovery();
using (var discoverer = framework.GetDiscoverer(Reflector.Wrap(assembly)))
{
    discoverer.Find(includeSourceInformation: false, found, options);
    found.Done.WaitOne();
}

ITestCase[] chosen = [.. found.Cases.Where(c => args.Length == 0 || args.Any(a => c.DisplayName.Contains(a, StringComparison.OrdinalIgnoreCase)))];
var results = new Results();
using (var executor = framework.GetExecutor(assembly.GetName()))
{
    executor.RunTests(chosen, results, options);
    results.Done.WaitOne();
}

Console.WriteLine($"{results.Passed} passed, {results.Failed} failed, {results.Skipped} skipped");
return results.Failed == 0 ? 0 : 1;
