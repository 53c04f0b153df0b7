using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>Reads and writes safetensors files: named tensors behind a JSON header, nothing executable.</summary>
/// <remarks>
/// Format: 8 bytes of header length (little-endian), the header {"name": {"dtype", "shape", "data_offsets"}, "__metadata__"},
/// then the values, row-major and without gaps (github.com/huggingface/safetensors, "Format").
/// </remarks>
public static class SafeTensors
{
    private const int ChunkBytes = 1 << 24;

    /// <summary>Writes all tensors, from whatever device, in an order that the names and types alone decide; a file of that name is replaced at once.</summary>
    /// <param name="path">The file; missing folders are made.</param>
    /// <param name="tensors">Values by name; they stay the caller's.</param>
    /// <param name="metadata">Texts for the header; Hugging Face's readers expect "format" = "pt".</param>
    /// <exception cref="NotSupportedException">A tensor has a type that the format lacks; the message names it.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        // Wide types first, so that every tensor is aligned to its own element: the order of the reference implementation.
        var ordered = tensors.Select(t => (Name: t.Key, Tensor: t.Value, Type: SafeTensorType.Of(t.Value.dtype, t.Key)))
            .OrderByDescending(t => t.Type.Bytes).ThenBy(t => t.Type.Name, StringComparer.Ordinal).ThenBy(t => t.Name, StringComparer.Ordinal).ToArray();
        var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(SafeTensorsHeader.MetadataName);
                foreach (var (name, value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
                    json.WriteString(name, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var (name, tensor, type) in ordered)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", type.Name);
                json.WriteStartArray("shape");
                foreach (var size in tensor.shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.numel() * type.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (header.Length % 8 != 0)
            header.WriteByte((byte)' ');
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header.GetBuffer().AsSpan(0, (int)header.Length));
            foreach (var (_, tensor, type) in ordered)
                WriteValues(stream, tensor, type);
        });
    }

    /// <summary>Reads all tensors to the device.</summary>
    /// <param name="path">The file.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <param name="type">The type that floating-point tensors are converted to; null leaves them, and integers always stay.</param>
    /// <returns>Fresh tensors that the caller owns; no dispose scope holds them.</returns>
    /// <exception cref="InvalidDataException">No safetensors file, or a damaged one; the message names the tensor.</exception>
    public static Dictionary<string, Tensor> Read(string path, torch.Device device, ScalarType? type = null)
    {
        using var file = SafeTensorsFile.Open(path);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var entry in file.Header.Entries)
            {
                var wanted = type is { } t && entry.Type.IsFloatingPoint ? t : entry.Type.Torch;
                var tensor = empty(entry.Shape, dtype: wanted, device: device).DetachFromDisposeScope();
                tensors[entry.Name] = tensor;
                file.CopyTo(entry, tensor);
            }
        }
        catch
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
            throw;
        }
        return tensors;
    }

    /// <summary>The header's texts; empty where there are none.</summary>
    /// <exception cref="InvalidDataException">No safetensors file, or a damaged one.</exception>
    public static IReadOnlyDictionary<string, string> ReadMetadata(string path)
    {
        using var file = File.OpenHandle(path);
        return SafeTensorsHeader.Read(file, path).Metadata;
    }

    /// <summary>How many tensors a file holds, and how many numbers in all; from its header alone.</summary>
    /// <exception cref="InvalidDataException">No safetensors file, or a damaged one.</exception>
    public static (int Tensors, long Numbers) Count(string path)
    {
        using var file = File.OpenHandle(path);
        var entries = SafeTensorsHeader.Read(file, path).Entries;
        return (entries.Count, entries.Sum(e => e.Bytes / e.Type.Bytes));
    }

    private static void WriteValues(Stream stream, Tensor tensor, SafeTensorType type)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        // A view has its values elsewhere in its storage; a copy has them at the start, row-major.
        var values = empty(tensor.shape, dtype: tensor.dtype).copy_(tensor.detach());
        foreach (var chunk in Chunks(values, type))
            stream.Write(chunk.bytes);
    }

    // Views of the values in order. Tensor.bytes is one span, which ends at 2 GiB; large embeddings do not.
    private static IEnumerable<Tensor> Chunks(Tensor tensor, SafeTensorType type)
    {
        var flat = tensor.view(-1);
        long elements = ChunkBytes / type.Bytes;
        for (long at = 0; at < flat.numel(); at += elements)
            yield return flat.narrow(0, at, Math.Min(elements, flat.numel() - at));
    }
}
