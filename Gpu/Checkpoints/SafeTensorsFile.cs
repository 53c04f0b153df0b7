using Chorus.Gpu.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>A safetensors file mapped into memory; its tensors are copied out one by one, straight to where they are wanted.</summary>
/// <remarks>
/// The map costs no memory of its own: pages are read as they are copied and given back behind the copy, so that loading a
/// model needs little more than the model. The next pages are brought in while the present ones are copied.
/// </remarks>
internal sealed class SafeTensorsFile : IDisposable
{
    private const long ChunkBytes = 64L << 20;

    // The whole file as elements of one type. TorchSharp has no view that reads a tensor's bytes as another type, so the
    // file is mapped once for each type that it holds; the pages are the same.
    private sealed record Map(Tensor Elements, nint Address);

    private readonly string _path;
    private readonly long _length;
    private readonly Dictionary<ScalarType, Map> _maps = [];
    private Task _reading = Task.CompletedTask;

    private SafeTensorsFile(string path, SafeTensorsHeader header, long length) => (_path, Header, _length) = (path, header, length);

    public SafeTensorsHeader Header { get; }

    /// <exception cref="InvalidDataException">No safetensors file, or a damaged one; the message names the tensor.</exception>
    public static SafeTensorsFile Open(string path)
    {
        using var file = File.OpenHandle(path);
        return new SafeTensorsFile(path, SafeTensorsHeader.Read(file, path), RandomAccess.GetLength(file));
    }

    /// <summary>Copies one tensor's values into <paramref name="target"/>, converting them to its type.</summary>
    /// <param name="entry">Of this file's header.</param>
    /// <param name="target">Of the entry's shape; any strides, type and device.</param>
    /// <exception cref="InvalidDataException">The shapes differ.</exception>
    public void CopyTo(SafeTensorsHeader.Entry entry, Tensor target)
    {
        if (!entry.Shape.AsSpan().SequenceEqual(target.shape))
            throw new InvalidDataException($"{_path}: tensor {entry.Name} must have shape [{string.Join(", ", target.shape)}], found [{string.Join(", ", entry.Shape)}]");
        if (entry.Bytes == 0)
            return;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var to = entry.Shape.Length == 0 ? target.unsqueeze(0) : target;
        long rows = to.shape[0], bytesPerRow = entry.Bytes / rows;
        long step = Math.Max(1, ChunkBytes / bytesPerRow);
        for (long row = 0; row < rows; row += step)
        {
            using var chunkScope = NewDisposeScope();
            long count = Math.Min(step, rows - row), offset = entry.Offset + row * bytesPerRow, bytes = count * bytesPerRow;
            var values = Values(entry.Type, offset, bytes).view([count, .. to.shape.AsSpan(1)]);
            if (to.device_type != DeviceType.CPU)
                values = values.to(to.device); // converted there: fewer bytes travel, and the device is faster at it
            to.narrow(0, row, count).copy_(values);
            if (_maps.TryGetValue(entry.Type.Torch, out var map))
                Advise(map, offset, bytes, NativeMethods.AdviseNotNeeded);
        }
    }

    public void Dispose()
    {
        _reading.Wait(); // it touches a map
        foreach (var map in _maps.Values)
            map.Elements.Dispose();
    }

    private Tensor Values(SafeTensorType type, long offset, long bytes)
    {
        if (offset % type.Bytes == 0)
        {
            var map = MapOf(type);
            ReadAhead(map, offset + bytes);
            return map.Elements.narrow(0, offset / type.Bytes, bytes / type.Bytes);
        }
        // The map has elements at multiples of their size only; the format does not promise that.
        var copy = empty([bytes / type.Bytes], dtype: type.Torch);
        MapOf(SafeTensorType.Byte).Elements.narrow(0, offset, bytes).bytes.CopyTo(copy.bytes);
        return copy;
    }

    private unsafe Map MapOf(SafeTensorType type)
    {
        if (_maps.TryGetValue(type.Torch, out var map))
            return map;
        using var scope = NewDisposeScope();
        // Private: nothing that is done to the tensor can reach the file.
        var elements = from_file(_path, shared: false, size: _length / type.Bytes, dtype: type.Torch).DetachFromDisposeScope();
        fixed (byte* first = elements.narrow(0, 0, 1).bytes)
            return _maps[type.Torch] = new Map(elements, (nint)first);
    }

    // Brings in what is likely wanted next: tensors are copied in the file's order, or nearly.
    private void ReadAhead(Map map, long offset)
    {
        long bytes = Math.Min(ChunkBytes, _length - offset);
        if (bytes >= 1 << 20 && _reading.IsCompleted)
            _reading = Task.Run(() => Advise(map, offset, bytes, NativeMethods.AdvisePopulateRead));
    }

    // Whole pages: those at the edges are neighbours' too, and given back they are read from the file again.
    private static void Advise(Map map, long offset, long bytes, int advice)
    {
        if (!OperatingSystem.IsLinux())
            return;
        nint page = Environment.SystemPageSize, begin = (map.Address + (nint)offset) & -page, end = map.Address + (nint)(offset + bytes);
        _ = NativeMethods.madvise(begin, end - begin, advice);
    }
}
