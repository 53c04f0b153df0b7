using System.Diagnostics;

namespace Chorus.Actors.Tests.Support;

/// <summary>A disk that is soon full: a file system in memory, mounted below a temporary folder; gone with it.</summary>
internal sealed class TinyDisk : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TinyDisk(int kilobytes)
    {
        Directory.CreateDirectory(Path);
        Run("mount", $"-t tmpfs -o size={kilobytes}k chorus-tiny-disk {Path}");
    }

    /// <summary>Why there can be none here; null where there can.</summary>
    public static string? Missing { get; } = WhyMissing();

    public string Path => _folder.In("disk");

    public void Resize(int kilobytes) => Run("mount", $"-o remount,size={kilobytes}k {Path}");

    public void MakeReadOnly() => Run("mount", $"-o remount,ro {Path}");

    public void MakeWritable() => Run("mount", $"-o remount,rw {Path}");

    public void Dispose()
    {
        Run("umount", $"--lazy {Path}");
        _folder.Dispose();
    }

    private static string? WhyMissing()
    {
        if (!OperatingSystem.IsLinux())
            return "file systems in memory are Linux's";
        if (!Environment.IsPrivilegedProcess)
            return "mounting a file system needs root";
        try
        {
            using var disk = new TinyDisk(64);
            return null;
        }
        catch (InvalidOperationException e)
        {
            return $"this machine does not let root mount a file system: {e.Message}";
        }
    }

    private static void Run(string program, string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var said = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {arguments}: {said.Trim()}");
    }
}

/// <summary>A fact that needs a disk of its own, and is skipped with the reason where none can be mounted.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TinyDiskFactAttribute : FactAttribute
{
    public TinyDiskFactAttribute() => Skip = TinyDisk.Missing;
}
