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

    private string Filler => System.IO.Path.Combine(Path, "filler");

    /// <summary>Takes all the room that is left; again changes nothing.</summary>
    public void Fill()
    {
        lock (_folder)
        {
            using var filler = new FileStream(Filler, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            var block = new byte[4096];
            try
            {
                while (true)
                    filler.Write(block);
            }
            catch (IOException)
            {
                // full
            }
        }
    }

    /// <summary>Gives that room back.</summary>
    public void Empty() => File.Delete(Filler);

    /// <summary>Shows the same files under another path, where none can be written.</summary>
    /// <returns>That path.</returns>
    public string ReadOnly()
    {
        var path = _folder.In("read-only");
        Directory.CreateDirectory(path);
        Run("mount", $"--bind {Path} {path}");
        Run("mount", $"-o remount,bind,ro {path}");
        return path;
    }

    public void Dispose()
    {
        if (Directory.Exists(_folder.In("read-only")))
            Run("umount", $"--lazy {_folder.In("read-only")}");
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
