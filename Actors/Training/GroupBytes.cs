using System.Buffers.Binary;
using System.Text;
using Akka.Actor;
using Akka.Serialization;

namespace Chorus.Actors.Training;

/// <summary>A piece of a tensor on its way from one rank of an epoch to another. It is raw bytes of noise-free sums: it goes to trainers alone, and is never persisted.</summary>
/// <param name="Number">Counts the pieces from this rank to that, from 0.</param>
/// <param name="Bytes">Not to be changed once sent.</param>
public sealed record GroupBytes(string Run, int Epoch, int From, int To, long Number, byte[] Bytes);

/// <summary><see cref="GroupBytes"/> as they are behind 24 bytes and the run's name: JSON would cost a third more and much time.</summary>
public sealed class GroupBytesSerializer(ExtendedActorSystem system) : Serializer(system)
{
    private const int Fixed = 24;

    public override int Identifier => 7303;

    public override bool IncludeManifest => false;

    public override byte[] ToBinary(object obj)
    {
        var piece = (GroupBytes)obj;
        int name = Encoding.UTF8.GetByteCount(piece.Run);
        var bytes = new byte[Fixed + name + piece.Bytes.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, name);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), piece.Epoch);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), piece.From);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), piece.To);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), piece.Number);
        Encoding.UTF8.GetBytes(piece.Run, bytes.AsSpan(Fixed));
        piece.Bytes.CopyTo(bytes, Fixed + name);
        return bytes;
    }

    public override object FromBinary(byte[] bytes, Type type)
    {
        int name = bytes.Length < Fixed ? -1 : BinaryPrimitives.ReadInt32LittleEndian(bytes);
        if (name < 0 || name > bytes.Length - Fixed)
            throw new ArgumentException($"a piece of a tensor is damaged: {bytes.Length} bytes, a name of {name}");
        return new GroupBytes(
            Encoding.UTF8.GetString(bytes, Fixed, name), BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4)), BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(8)),
            BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12)), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(16)), bytes[(Fixed + name)..]);
    }
}
