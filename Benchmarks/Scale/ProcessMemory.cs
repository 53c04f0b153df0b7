using System.Globalization;

namespace Chorus.Benchmarks.Scale;

/// <summary>What the kernel says of a process's memory.</summary>
internal static class ProcessMemory
{
    /// <summary>The most bytes that a process has had in memory at once (VmHWM), pages of mapped files among them.</summary>
    public static long PeakBytes(int process) => Field(process, "VmHWM:");

    /// <summary>Bytes that a process has in memory now (VmRSS).</summary>
    public static long Bytes(int process) => Field(process, "VmRSS:");

    private static long Field(int process, string name)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return 1024 * long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
    }
}
