using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Chorus.Gpu.Cuda;

/// <summary>A kernel's arguments, in its order. Tensors must live until the launch; torch's memory is used on one stream, so no longer.</summary>
public sealed unsafe class KernelArguments : IDisposable
{
    private const int Slot = 64;   // the alignment of a tensor map; more than any other argument's
    private const int LargestCount = 64;
    private const int LargestSlots = 2 * LargestCount;

    [ThreadStatic]
    private static Stack<Room>? _free; // of this thread: launches are frequent

    private readonly Room _room;
    private int _slots;

    public KernelArguments() => _room = (_free ??= []).TryPop(out var room) ? room : new Room();

    public int Count { get; private set; }

    /// <summary>Adds a number.</summary>
    public KernelArguments Add<T>(T value)
        where T : unmanaged
    {
        Unsafe.Write(Next(sizeof(T)), value);
        return this;
    }

    /// <summary>Adds a tensor's address.</summary>
    public KernelArguments Add(Tensor tensor) => Add(TensorMemory.AddressOf(tensor));

    /// <summary>Adds what a bulk tensor copy needs to know of a tensor [B, T, K] of half precision: boxes of 64 columns and so many rows, zeros outside.</summary>
    public KernelArguments AddMap(Tensor tensor, int rows)
    {
        TensorMemory.Describe(Next(TensorMemory.MapBytes), tensor, rows);
        return this;
    }

    public void Dispose() => (_free ??= []).Push(_room);

    internal void* At(int argument) => _room.Bytes + (_room.At[argument] * Slot);

    private void* Next(int bytes)
    {
        var slots = (bytes + Slot - 1) / Slot;
        if (Count == LargestCount || _slots + slots > LargestSlots)
            throw new InvalidOperationException($"a kernel takes at most {LargestCount} arguments here");
        _room.At[Count++] = _slots;
        _slots += slots;
        return _room.Bytes + (_room.At[Count - 1] * Slot);
    }

    private sealed class Room
    {
        public readonly byte* Bytes = (byte*)NativeMemory.AlignedAlloc(LargestSlots * Slot, Slot);
        public readonly int[] At = new int[LargestCount];

        ~Room() => NativeMemory.AlignedFree(Bytes);
    }
}
