using System.Buffers.Binary;
using System.Text;

namespace Chorus.Gpu.Tests.Runtime;

/// <summary>Builds the least ELF-64 file that needs versions of libraries: two program headers, a dynamic section, names.</summary>
internal static class SyntheticElf
{
    internal const long BaseAddress = 0x10000;

    /// <summary>The file, and the offset of the flags of each needed version in the order given.</summary>
    internal static (byte[] File, List<int> Flags) Build(params (string Library, (string Version, ushort Flags)[] Versions)[] needs)
    {
        var file = new byte[4096];
        var names = new MemoryStream();
        names.WriteByte(0);
        const int programHeaders = 64, dynamic = 256, versions = 512, strings = 2048;
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(file, 0);
        Write64(32, programHeaders);
        Write16(54, 56);
        Write16(56, 2);
        Write32(programHeaders, 1); // PT_LOAD: the whole file at BaseAddress
        Write64(programHeaders + 16, BaseAddress);
        Write64(programHeaders + 32, file.Length);
        Write32(programHeaders + 56, 2); // PT_DYNAMIC
        Write64(programHeaders + 56 + 8, dynamic);
        Write64(programHeaders + 56 + 32, 4 * 16);
        Write64(dynamic, 5); // DT_STRTAB
        Write64(dynamic + 8, BaseAddress + strings);
        Write64(dynamic + 16, 0x6ffffffe); // DT_VERNEED
        Write64(dynamic + 24, BaseAddress + versions);
        Write64(dynamic + 32, 0x6fffffff); // DT_VERNEEDNUM
        Write64(dynamic + 40, needs.Length);

        var flags = new List<int>();
        var at = versions;
        for (var i = 0; i < needs.Length; i++)
        {
            var (library, wanted) = needs[i];
            Write16(at, 1);
            Write16(at + 2, wanted.Length);
            Write32(at + 4, Name(library));
            Write32(at + 8, 16);
            Write32(at + 12, i + 1 < needs.Length ? 16 * (wanted.Length + 1) : 0);
            at += 16;
            for (var j = 0; j < wanted.Length; j++)
            {
                Write16(at + 4, wanted[j].Flags);
                Write32(at + 8, Name(wanted[j].Version));
                Write32(at + 12, j + 1 < wanted.Length ? 16 : 0);
                flags.Add(at + 4);
                at += 16;
            }
        }
        names.ToArray().CopyTo(file, strings);
        return (file, flags);

        int Name(string text)
        {
            var offset = (int)names.Position;
            names.Write(Encoding.ASCII.GetBytes(text));
            names.WriteByte(0);
            return offset;
        }

        void Write16(int offset, int value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(offset), (ushort)value);
        void Write32(int offset, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(offset), value);
        void Write64(int offset, long value) => BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(offset), value);
    }
}
