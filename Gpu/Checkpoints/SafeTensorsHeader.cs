using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>An element type by its name in the format.</summary>
internal sealed record SafeTensorType(string Name, ScalarType Torch, int Bytes)
{
    private static readonly SafeTensorType[] All =
    [
        new("F64", ScalarType.Float64, 8), new("F32", ScalarType.Float32, 4), new("F16", ScalarType.Float16, 2), new("BF16", ScalarType.BFloat16, 2),
        new("I64", ScalarType.Int64, 8), new("I32", ScalarType.Int32, 4), new("I16", ScalarType.Int16, 2), new("I8", ScalarType.Int8, 1),
        new("U8", ScalarType.Byte, 1), new("BOOL", ScalarType.Bool, 1),
    ];

    internal static SafeTensorType Byte => Array.Find(All, t => t.Name == "U8")!;

    internal bool IsFloatingPoint => Name.EndsWith('4') && Name[0] == 'F' || Name is "F32" or "F16" or "BF16";

    internal static SafeTensorType Of(ScalarType type, string tensor) => Array.Find(All, t => t.Torch == type)
        ?? throw new NotSupportedException($"tensor {tensor} has type {type}, which safetensors files cannot hold; convert it to one of {string.Join(", ", All.Select(t => t.Torch))}");

    internal static SafeTensorType? Find(string name) => Array.Find(All, t => t.Name == name);

    internal static string Names => string.Join(", ", All.Select(t => t.Name));
}

/// <summary>The checked header of a safetensors file.</summary>
internal sealed record SafeTensorsHeader(IReadOnlyList<SafeTensorsHeader.Entry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    internal const string MetadataName = "__metadata__";
    private const long LargestBytes = 100_000_000; // the reference implementation's limit

    /// <summary>One tensor: its values are <paramref name="Bytes"/> bytes at <paramref name="Offset"/> of the file.</summary>
    internal sealed record Entry(string Name, SafeTensorType Type, long[] Shape, long Offset, long Bytes);

    /// <exception cref="InvalidDataException">The header is damaged or does not fit the file's length.</exception>
    internal static SafeTensorsHeader Read(SafeFileHandle file, string path)
    {
        var length = RandomAccess.GetLength(file);
        Span<byte> prefix = stackalloc byte[8];
        if (length < 8 || RandomAccess.Read(file, prefix, 0) < 8)
            throw new InvalidDataException($"{path}: expected a safetensors file, found {length} bytes");
        var headerBytes = BinaryPrimitives.ReadInt64LittleEndian(prefix);
        if (headerBytes is < 2 or > LargestBytes || headerBytes > length - 8)
            throw new InvalidDataException($"{path}: expected a safetensors header of 2 to {Math.Min(LargestBytes, length - 8)} bytes, found a length of {headerBytes}");
        var header = new byte[headerBytes];
        for (var at = 0; at < header.Length;)
        {
            var read = RandomAccess.Read(file, header.AsSpan(at), 8 + at);
            at += read > 0 ? read : throw new InvalidDataException($"{path}: the header is cut short");
        }
        try
        {
            using var json = JsonDocument.Parse(header);
            return Parse(json.RootElement, path, 8 + headerBytes, length);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{path}: the safetensors header is damaged: {e.Message}", e);
        }
    }

    private static SafeTensorsHeader Parse(JsonElement root, string path, long dataStart, long fileLength)
    {
        var entries = new List<Entry>();
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in root.EnumerateObject())
        {
            if (!names.Add(property.Name))
                throw new InvalidDataException($"{path}: tensor {property.Name} is there twice");
            if (property.Name == MetadataName)
            {
                foreach (var text in property.Value.EnumerateObject())
                    metadata[text.Name] = text.Value.GetString() ?? "";
                continue;
            }
            entries.Add(ParseEntry(property.Name, property.Value, path, dataStart));
        }
        var end = dataStart;
        foreach (var entry in entries.OrderBy(e => e.Offset).ThenBy(e => e.Bytes))
        {
            if (entry.Offset != end)
                throw new InvalidDataException($"{path}: tensor {entry.Name} begins at byte {entry.Offset}, expected {end}: values must follow each other without gap or overlap");
            end += entry.Bytes;
            if (end > fileLength)
                throw new InvalidDataException($"{path}: tensor {entry.Name} ends at byte {end}, but the file has {fileLength}: it is cut short");
        }
        return end == fileLength
            ? new SafeTensorsHeader(entries, metadata)
            : throw new InvalidDataException($"{path}: the tensors end at byte {end}, but the file has {fileLength}");
    }

    private static Entry ParseEntry(string name, JsonElement entry, string path, long dataStart)
    {
        try
        {
            var typeName = entry.GetProperty("dtype").GetString() ?? "";
            var type = SafeTensorType.Find(typeName) ?? throw new InvalidDataException($"{path}: tensor {name} has type {typeName}; known are {SafeTensorType.Names}");
            long[] shape = [.. entry.GetProperty("shape").EnumerateArray().Select(s => s.GetInt64())];
            var offsets = entry.GetProperty("data_offsets");
            long begin = offsets[0].GetInt64(), bytes = offsets[1].GetInt64() - begin;
            var expected = checked(shape.Aggregate(1L, (a, b) => b >= 0 ? checked(a * b) : throw new OverflowException()) * type.Bytes);
            if (begin < 0 || bytes != expected || offsets.GetArrayLength() != 2)
                throw new InvalidDataException($"{path}: tensor {name} ({typeName} [{string.Join(", ", shape)}]) must have {expected} bytes, found offsets {offsets}");
            return new Entry(name, type, shape, dataStart + begin, bytes);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            throw new InvalidDataException($"{path}: tensor {name} has a damaged entry: {entry}", e);
        }
    }
}
