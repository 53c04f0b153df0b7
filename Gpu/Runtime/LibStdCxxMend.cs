// Compiled twice: into Chorus.Gpu, and by MSBuild's RoslynCodeTaskFactory (Chorus.Gpu.targets), which knows netstandard2.0
// alone. So: explicit usings, no spans, and the build task at the end, where the SDK's NET symbol is not defined.
#nullable enable
#if !NET
using System;
using System.Collections.Generic;
using System.IO;
#endif
using System.Text;

namespace Chorus.Gpu.Runtime;

/// <summary>Lets TorchSharp's native library load where the system's C++ library is older than it asks for.</summary>
/// <remarks>
/// TorchSharp 0.107.0's libLibTorchSharp.so requires the version GLIBCXX_3.4.32 of libstdc++.so.6, which Debian 12,
/// Ubuntu 22.04 and RHEL 9 lack, though no relocation uses a symbol of it. The mend sets VER_FLG_WEAK on that one entry of
/// the list of needed versions, upon which the dynamic loader goes on without it. Layout: Linux Standard Base, "Symbol
/// Versioning", and the ELF-64 object file format; little-endian only.
/// </remarks>
public static class LibStdCxxMend
{
    /// <summary>The version that the native library asks for in vain on older systems.</summary>
    public const string Version = "GLIBCXX_3.4.32";

    /// <summary>The library that carries the version, and thereby the one entry that is looked at.</summary>
    public const string Library = "libstdc++.so.6";

    private const ushort Weak = 2; // VER_FLG_WEAK

    /// <summary>True if the file asks for <see cref="Version"/> and will not load without it.</summary>
    /// <exception cref="InvalidDataException">The file is no 64-bit little-endian ELF file, or is cut short.</exception>
    public static bool Needed(string path) => FindFlags(File.ReadAllBytes(path), path) >= 0;

    /// <summary>Marks the requirement as weak; a file that does not ask for the version is left as it is.</summary>
    /// <remarks>
    /// The mended bytes go to a new file, which is then renamed over the old one: other processes see the old file or the
    /// new one, two that mend at once write the same bytes, and a hard or symbolic link (to a package cache, say) is
    /// replaced and not written through. The time of last change is kept, so that an incremental build sees no change.
    /// </remarks>
    /// <returns>True if the file was changed.</returns>
    /// <exception cref="InvalidDataException">The file is no 64-bit little-endian ELF file, or is cut short.</exception>
    /// <exception cref="IOException">The folder cannot be written; the message says how to put that right.</exception>
    public static bool Apply(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var flags = FindFlags(bytes, path);
        if (flags < 0)
            return false;
        bytes[flags] |= (byte)Weak;
        var temporary = path + "." + Guid.NewGuid().ToString("N") + ".tmp";
        try
        {
            File.Copy(path, temporary); // brings the access rights along
            File.SetAttributes(temporary, FileAttributes.Normal);
            File.WriteAllBytes(temporary, bytes);
            File.SetLastWriteTimeUtc(temporary, File.GetLastWriteTimeUtc(path));
            Replace(temporary, path);
        }
        catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
        {
            throw new IOException(
                $"{path} asks for {Version}, which this system's {Library} lacks, and the folder cannot be written to mend that "
                + $"({e.Message}). Start the program once as a user who may write there, or install a C++ runtime of GCC 13.2 or newer.", e);
        }
        finally
        {
            if (File.Exists(temporary)) // after a failure
                File.Delete(temporary);
        }
        return true;
    }

    /// <summary>True if the C++ library that this process uses, or would load, lacks <see cref="Version"/>.</summary>
    /// <remarks>Where no such library is found the answer is true: a weak requirement harms nothing where it is met.</remarks>
    public static bool SystemLacksVersion()
    {
        var found = FindLibrary();
        return found == null || !Contains(File.ReadAllBytes(found), Encoding.ASCII.GetBytes(Version + "\0"));
    }

    /// <summary>The C++ library in use: the one mapped into this process, else the first in the loader's usual folders.</summary>
    public static string? FindLibrary()
    {
        if (File.Exists("/proc/self/maps"))
        {
            foreach (var line in File.ReadAllLines("/proc/self/maps"))
            {
                var start = line.IndexOf('/');
                if (start > 0 && Path.GetFileName(line).StartsWith(Library, StringComparison.Ordinal) && File.Exists(line.Substring(start)))
                    return line.Substring(start);
            }
        }
        var folders = new List<string>((Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") ?? "").Split(new[] { ':' }, StringSplitOptions.RemoveEmptyEntries));
        folders.AddRange(new[] { "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/local/lib64", "/lib", "/usr/lib", "/usr/local/lib" });
        return folders.ConvertAll(folder => Path.Combine(folder, Library)).Find(File.Exists);
    }

    // The offset of vna_flags of the entry that is required and not weak, or -1.
    private static long FindFlags(byte[] file, string path)
    {
        var elf = new ElfBytes(file, path);
        foreach (var need in elf.NeededVersions())
        {
            if (need.Library == Library && need.Version == Version && (need.Flags & Weak) == 0)
                return need.FlagsOffset;
        }
        return -1;
    }

    private static void Replace(string temporary, string path)
    {
        // File.Replace is rename(2) on Unix. It refuses a target that is gone, which a concurrent build may cause.
        if (File.Exists(path))
            File.Replace(temporary, path, null);
        else
            File.Move(temporary, path);
    }

    private static bool Contains(byte[] file, byte[] wanted)
    {
        for (var i = Array.IndexOf(file, wanted[0]); i >= 0 && i + wanted.Length <= file.Length; i = Array.IndexOf(file, wanted[0], i + 1))
        {
            var j = 1;
            while (j < wanted.Length && file[i + j] == wanted[j])
                j++;
            if (j == wanted.Length)
                return true;
        }
        return false;
    }

    // One requirement: a version of a library, where its flags stand in the file, and what they are.
    private readonly struct NeededVersion
    {
        public NeededVersion(string library, string version, ushort flags, long flagsOffset)
        {
            Library = library;
            Version = version;
            Flags = flags;
            FlagsOffset = flagsOffset;
        }

        public string Library { get; }
        public string Version { get; }
        public ushort Flags { get; }
        public long FlagsOffset { get; }
    }

    // Reads what the dynamic loader reads (program headers and the dynamic section); section headers may be stripped.
    private sealed class ElfBytes
    {
        private const int ProgramHeaderLoad = 1, ProgramHeaderDynamic = 2;
        private const long DynamicStrings = 5, DynamicVersionNeed = 0x6ffffffe, DynamicVersionNeedCount = 0x6fffffff;

        private readonly byte[] _file;
        private readonly string _path;
        private readonly List<(long Address, long Offset, long Size)> _segments = new List<(long, long, long)>();
        private readonly Dictionary<long, long> _dynamic = new Dictionary<long, long>();

        public ElfBytes(byte[] file, string path)
        {
            _file = file;
            _path = path;
            if (file.Length < 64 || file[0] != 0x7f || file[1] != 'E' || file[2] != 'L' || file[3] != 'F' || file[4] != 2 || file[5] != 1)
                throw new InvalidDataException($"{path}: expected a 64-bit little-endian ELF file");
            long headers = Long(32), headerSize = Short(54), count = Short(56), dynamicOffset = -1, dynamicSize = 0;
            for (var i = 0; i < count; i++)
            {
                var header = headers + i * headerSize;
                var type = Int(header);
                if (type == ProgramHeaderLoad)
                    _segments.Add((Long(header + 16), Long(header + 8), Long(header + 32)));
                else if (type == ProgramHeaderDynamic)
                    (dynamicOffset, dynamicSize) = (Long(header + 8), Long(header + 32));
            }
            for (var at = dynamicOffset; at >= 0 && at < dynamicOffset + dynamicSize && Long(at) != 0; at += 16)
                _dynamic[Long(at)] = Long(at + 8);
        }

        public IEnumerable<NeededVersion> NeededVersions()
        {
            if (!_dynamic.TryGetValue(DynamicVersionNeed, out var address)
                || !_dynamic.TryGetValue(DynamicVersionNeedCount, out var libraries)
                || !_dynamic.TryGetValue(DynamicStrings, out var stringsAddress))
                yield break;
            long strings = OffsetOf(stringsAddress), need = OffsetOf(address);
            for (long i = 0; i < libraries; i++)
            {
                var library = Text(strings + Int(need + 4)); // Verneed: version, count, file, aux, next
                long auxiliary = need + Int(need + 8), versions = Short(need + 2);
                for (long j = 0; j < versions; j++)
                {
                    // Vernaux: hash (4), flags (2), other (2), name (4), next (4)
                    yield return new NeededVersion(library, Text(strings + Int(auxiliary + 8)), Short(auxiliary + 4), auxiliary + 4);
                    auxiliary += Int(auxiliary + 12);
                }
                need += Int(need + 12);
            }
        }

        private long OffsetOf(long address)
        {
            foreach (var (start, offset, size) in _segments)
            {
                if (address >= start && address < start + size)
                    return address - start + offset;
            }
            throw new InvalidDataException($"{_path}: address 0x{address:x} lies in no segment of this ELF file");
        }

        private string Text(long at)
        {
            var end = Array.IndexOf(_file, (byte)0, (int)Check(at, 1));
            return end < 0 ? throw new InvalidDataException($"{_path}: a name at {at} has no end") : Encoding.ASCII.GetString(_file, (int)at, end - (int)at);
        }

        private ushort Short(long at) => BitConverter.ToUInt16(_file, (int)Check(at, 2));

        private uint Int(long at) => BitConverter.ToUInt32(_file, (int)Check(at, 4));

        private long Long(long at) => BitConverter.ToInt64(_file, (int)Check(at, 8));

        private long Check(long at, int size) => at >= 0 && at <= _file.Length - size
            ? at : throw new InvalidDataException($"{_path}: cut short, {size} bytes wanted at {at} of {_file.Length}");
    }
}

#if !NET
/// <summary>The build's own use of the mend: each file named that exists is mended where this system needs it.</summary>
public sealed class MendLibTorchSharp : Microsoft.Build.Utilities.Task
{
    [Microsoft.Build.Framework.Required]
    public string[] Files { get; set; } = new string[0];

    public override bool Execute()
    {
        try
        {
            foreach (var file in Files)
            {
                if (File.Exists(file) && LibStdCxxMend.Needed(file) && LibStdCxxMend.SystemLacksVersion() && LibStdCxxMend.Apply(file))
                    Log.LogMessage(Microsoft.Build.Framework.MessageImportance.High, "{0}: made the requirement of {1} weak", file, LibStdCxxMend.Version);
            }
        }
        catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
        {
            Log.LogError(e.Message); // InvalidDataException is no IOException: it is a broken package, and shows as such
        }
        return !Log.HasLoggedErrors;
    }
}
#endif
