using System.Runtime.InteropServices;

namespace Chorus.Cluster.Tests.Chaos;

/// <summary>What .NET cannot do to a process by itself. Numbers are Linux's.</summary>
internal static partial class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <summary>Sends a signal; a process that is gone already does not mind.</summary>
    public static void Send(int process, int signal) => _ = kill(process, signal);

    // https://man7.org/linux/man-pages/man2/kill.2.html
    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int sig);
}
