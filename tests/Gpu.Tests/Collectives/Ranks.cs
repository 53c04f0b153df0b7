using Chorus.Gpu.Collectives;

namespace Chorus.Gpu.Tests.Collectives;

/// <summary>Ranks that are threads of this test.</summary>
internal static class Ranks
{
    /// <summary>Runs the same work on so many ranks at once; what one throws is thrown, the first rank's first.</summary>
    public static T[] Run<T>(int count, Func<ICollective, T> work, TimeSpan? patience = null)
    {
        var links = SharedMemoryLinks.Create(count, patience ?? TimeSpan.FromSeconds(60));
        var results = new T[count];
        var failures = new Exception?[count];
        var threads = links.Select(link => new Thread(() =>
        {
            using var collective = new HostCollective(link);
            try
            {
                results[link.Rank] = work(collective);
            }
            catch (Exception e)
            {
                failures[link.Rank] = e;
                collective.Abort($"rank {link.Rank} failed: {e.Message}");
            }
        })).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        var failed = failures.Where(f => f is not null).ToArray();
        return failed.Length == 0 ? results : throw (failed.FirstOrDefault(f => f is not CollectiveBrokenException) ?? failed[0]!);
    }
}
