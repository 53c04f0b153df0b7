using System.Text.Json;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>A checkpoint's weights: model.safetensors, or shards of it and model.safetensors.index.json, as Hugging Face writes them.</summary>
internal sealed class WeightFiles : IDisposable
{
    internal const string WholeFile = "model.safetensors", IndexFile = "model.safetensors.index.json";

    /// <summary>transformers' own limit: a larger checkpoint is written in shards.</summary>
    internal const long LargestShardBytes = 5_000_000_000;

    private readonly string _directory;
    private readonly List<SafeTensorsFile> _files = [];
    private readonly Dictionary<string, (SafeTensorsFile File, SafeTensorsHeader.Entry Entry)> _tensors = new(StringComparer.Ordinal);

    private WeightFiles(string directory) => _directory = directory;

    public IEnumerable<SafeTensorsHeader.Entry> Entries => _tensors.Values.Select(t => t.Entry);

    /// <summary>Opens all files and reads their headers, no values.</summary>
    /// <exception cref="FileNotFoundException">A file is missing; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file or the index is damaged, a tensor is there twice, or not where the index says.</exception>
    public static WeightFiles Open(string directory)
    {
        var opened = new WeightFiles(directory);
        try
        {
            var index = Index(directory);
            foreach (var path in Paths(directory))
                opened.Add(path);
            if (index is not null)
                opened.Check(index);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>The weights' files.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static IEnumerable<string> Paths(string directory)
    {
        string[] names = Index(directory) is { } index ? [.. index.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)] : [WholeFile];
        return names.Select(name => Path.Combine(directory, name));
    }

    /// <summary>Copies the weights into <paramref name="slots"/>; every name and shape is checked before the first copy.</summary>
    /// <param name="slots">Tensors by the names of the file, to be filled, each.</param>
    /// <param name="rename">From a name in the files to that of a slot; null drops the tensor.</param>
    /// <param name="model">What is loaded, for messages: "a model of 3 layers".</param>
    /// <exception cref="InvalidDataException">A tensor is missing, unknown, there twice, of another shape, or of no floating-point type; the message names it.</exception>
    public void CopyTo(IReadOnlyDictionary<string, Tensor> slots, Func<string, string?> rename, string model)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, (_, entry)) in _tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            if (rename(name) is not { } slot)
                continue;
            if (!slots.TryGetValue(slot, out var target))
                throw new InvalidDataException($"{_directory}: tensor {name} has no place in {model}");
            if (!found.TryAdd(slot, name))
                throw new InvalidDataException($"{_directory}: tensors {found[slot]} and {name} are the same weight twice");
            if (!entry.Shape.AsSpan().SequenceEqual(target.shape))
                throw new InvalidDataException($"{_directory}: tensor {name} must have shape [{string.Join(", ", target.shape)}] by config.json, found [{string.Join(", ", entry.Shape)}]");
            if (!entry.Type.IsFloatingPoint)
                throw new InvalidDataException($"{_directory}: tensor {name} must be F32, F16, BF16 or F64, found {entry.Type.Name}");
        }
        if (slots.Keys.Where(k => !found.ContainsKey(k)).Order(StringComparer.Ordinal).ToArray() is { Length: > 0 } missing)
        {
            throw new InvalidDataException(
                $"{_directory}: the checkpoint lacks {missing.Length} tensors of {model}, among them {string.Join(", ", missing.Take(3))}");
        }
        foreach (var file in _files)
        {
            foreach (var entry in file.Header.Entries.OrderBy(e => e.Offset))
            {
                if (rename(entry.Name) is { } slot)
                    file.CopyTo(entry, slots[slot]);
            }
        }
    }

    /// <summary>Writes one file, or shards of at most <paramref name="shardBytes"/> each with an index, and removes what an earlier checkpoint left of the other form.</summary>
    /// <remarks>A tensor larger than that has a shard of its own. Each file is replaced at once, the index last.</remarks>
    public static void Write(string directory, IReadOnlyDictionary<string, Tensor> tensors, long shardBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shardBytes);
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };
        var shards = new List<List<string>>();
        long room = 0, total = 0;
        foreach (var (name, tensor) in tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            long bytes = tensor.numel() * SafeTensorType.Of(tensor.dtype, name).Bytes;
            if (shards.Count == 0 || bytes > room)
            {
                shards.Add([]);
                room = shardBytes;
            }
            shards[^1].Add(name);
            room -= bytes;
            total += bytes;
        }
        string index = Path.Combine(directory, IndexFile), whole = Path.Combine(directory, WholeFile);
        if (shards.Count <= 1)
        {
            SafeTensors.Write(whole, tensors, metadata);
            File.Delete(index); // its shards may be another's; without the index nobody reads them
            return;
        }
        string FileOf(int shard) => $"model-{shard + 1:D5}-of-{shards.Count:D5}.safetensors";
        for (int i = 0; i < shards.Count; i++)
            SafeTensors.Write(Path.Combine(directory, FileOf(i)), shards[i].ToDictionary(n => n, n => tensors[n], StringComparer.Ordinal), metadata);
        AtomicFile.Write(index, stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", total);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (name, shard) in shards.SelectMany((names, i) => names.Select(n => (n, i))).OrderBy(t => t.n, StringComparer.Ordinal))
                json.WriteString(name, FileOf(shard));
            json.WriteEndObject();
            json.WriteEndObject();
        });
        File.Delete(whole); // read before an index
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private void Add(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"{_directory} holds no {Path.GetFileName(path)}, which {IndexFile} names", path);
        var file = SafeTensorsFile.Open(path);
        _files.Add(file);
        foreach (var entry in file.Header.Entries)
        {
            if (!_tensors.TryAdd(entry.Name, (file, entry)))
                throw new InvalidDataException($"{path}: tensor {entry.Name} is in another shard too");
        }
    }

    private void Check(Dictionary<string, string> index)
    {
        foreach (var (name, file) in index)
        {
            if (!_tensors.ContainsKey(name))
                throw new InvalidDataException($"{Path.Combine(_directory, file)}: tensor {name} is missing, which {IndexFile} places there");
        }
    }

    // Tensor name to file name; null where there is one whole file.
    private static Dictionary<string, string>? Index(string directory)
    {
        if (File.Exists(Path.Combine(directory, WholeFile)))
            return null;
        var path = Path.Combine(directory, IndexFile);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException(
                $"{directory} holds neither {WholeFile} nor {IndexFile}; expected a checkpoint in Hugging Face layout"
                + (Directory.Exists(directory) && Directory.EnumerateFiles(directory, "*.bin").FirstOrDefault() is { } pickled
                    ? $"; {Path.GetFileName(pickled)} is a pickle, which can run code, and is not read: save the model once with transformers, which writes safetensors"
                    : ""), path);
        }
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var index = json.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(t => t.Name, t => t.Value.GetString() ?? "", StringComparer.Ordinal);
            if (index.Values.FirstOrDefault(n => n.Length == 0 || Path.GetFileName(n) != n) is { } wrong)
                throw new InvalidDataException($"a shard must be a file beside the index, found \"{wrong}\"");
            return index;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: expected an index of safetensors shards; {e.Message}", e);
        }
    }
}
