namespace Chorus.Simulation.Data;

/// <summary>Files that hold private data: only their owner can read them.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode OwnerReadWrite = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a folder, and those above it, where they are missing.</summary>
    public static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, OwnerReadWrite | UnixFileMode.UserExecute);
    }

    /// <summary>A new file, to be written by this process alone.</summary>
    public static FileStream Create(string path) => new(path, Options(FileMode.CreateNew, FileShare.None));

    /// <summary>A file that several processes read and write; made where it is missing.</summary>
    public static FileStream Share(string path) => new(path, Options(FileMode.OpenOrCreate, FileShare.ReadWrite | FileShare.Delete));

    private static FileStreamOptions Options(FileMode mode, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share, BufferSize = 1 << 16 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerReadWrite;
        return options;
    }
}
