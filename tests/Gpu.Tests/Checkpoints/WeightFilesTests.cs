using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Checkpoints;

[Collection(TorchCollection.Name)]
public sealed class WeightFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Given_shards_When_copied_into_slots_Then_values_types_and_layouts_are_the_slots()
    {
        Shard("a", ("x", arange(6, ScalarType.Float32).view(2, 3).to_type(ScalarType.BFloat16)), ("skipped", ones(4)));
        Shard("b", ("y", arange(6, ScalarType.Float32).view(3, 2).to_type(ScalarType.Float16)), ("s", tensor(7f)));
        Index(("x", "a"), ("skipped", "a"), ("y", "b"), ("s", "b"));
        var transposed = zeros(2, 3);
        var slots = new Dictionary<string, Tensor> { ["x"] = zeros([2, 3], ScalarType.Float32), ["y"] = transposed.t(), ["s"] = zeros([], ScalarType.Float64) };
        Copy(slots);
        Assert.Equal([0f, 1, 2, 3, 4, 5], slots["x"].data<float>().ToArray());
        Assert.Equal([0f, 2, 4, 1, 3, 5], transposed.data<float>().ToArray());
        Assert.Equal(7, slots["s"].item<double>());
    }

    // Many chunks of a tensor, in a target that is not contiguous, and pages given back behind each.
    [Fact]
    public void Given_a_tensor_of_several_chunks_When_copied_Then_every_row_is_there()
    {
        const int Rows = 700, Columns = 70_000; // 98 MB of bfloat16
        var values = (arange(Rows, ScalarType.Float32).view(Rows, 1).remainder(128) + arange(Columns, ScalarType.Float32).remainder(128)).to_type(ScalarType.BFloat16);
        Shard("all", ("w", values), ("z", ones(3)));
        File.Move(_folder["model-all.safetensors"], _folder["model.safetensors"]);
        var wide = zeros(Columns, Rows);
        Copy(new Dictionary<string, Tensor> { ["w"] = wide.t(), ["z"] = zeros(3) });
        Assert.True(wide.t().equal(values.to_type(ScalarType.Float32)).all().item<bool>());
    }

    // The format promises no alignment: a header of odd length puts 4-byte values at odd offsets.
    [Fact]
    public void Given_values_at_odd_offsets_When_read_Then_they_are_right()
    {
        var header = Encoding.UTF8.GetBytes("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""");
        Assert.NotEqual(0, header.Length % 4);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        File.WriteAllBytes(_folder["odd"], [.. length, .. header, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
        using var w = SafeTensors.Read(_folder["odd"], CPU)["w"];
        Assert.Equal([1f, -2f], w.data<float>().ToArray());
    }

    [Fact]
    public void Given_weights_that_do_not_fit_When_copied_Then_the_tensor_is_named_and_nothing_is_copied()
    {
        Shard("a", ("x", ones(2)), ("n", ones(2).to_type(ScalarType.Int64)));
        Index(("x", "a"), ("n", "a"));
        var x = zeros(2);
        string Message(params (string Name, Tensor Slot)[] slots) =>
            Assert.Throws<InvalidDataException>(() => Copy(slots.ToDictionary(s => s.Name, s => s.Slot))).Message;
        Assert.Contains("tensor n has no place in a model", Message(("x", x)));
        Assert.Contains("tensor n must be F32, F16, BF16 or F64, found I64", Message(("x", x), ("n", zeros(2))));
        Shard("a", ("x", ones(2)));
        Index(("x", "a"));
        Assert.Contains("lacks 1 tensors of a model, among them m", Message(("x", x), ("m", zeros(1))));
        Assert.Contains("tensor x must have shape [3] by config.json, found [2]", Message(("x", zeros(3))));
        Assert.Equal([0f, 0f], x.data<float>().ToArray());
    }

    [Fact]
    public void Given_an_index_that_is_wrong_When_opened_Then_the_tensor_or_file_is_named()
    {
        Shard("a", ("x", ones(2)));
        Shard("b", ("x", ones(2)), ("y", ones(2)));
        string Opened() => Assert.ThrowsAny<Exception>(() => WeightFiles.Open(_folder.Path)).Message;
        Index(("x", "a"), ("y", "a"));
        Assert.Contains("tensor y is missing, which model.safetensors.index.json places there", Opened());
        Index(("x", "a"), ("y", "b"));
        Assert.Contains("tensor x is in another shard too", Opened());
        Index(("x", "a"), ("y", "c"));
        Assert.Contains("holds no model-c.safetensors, which model.safetensors.index.json names", Opened());
        File.Delete(_folder["model.safetensors.index.json"]);
        File.WriteAllText(_folder["pytorch_model.bin"], "");
        Assert.Contains("is a pickle, which can run code, and is not read", Opened());
    }

    private void Copy(Dictionary<string, Tensor> slots)
    {
        using var files = WeightFiles.Open(_folder.Path);
        files.CopyTo(slots, name => name == "skipped" ? null : name, "a model");
    }

    private void Shard(string name, params (string Name, Tensor Values)[] tensors) =>
        SafeTensors.Write(_folder[$"model-{name}.safetensors"], tensors.ToDictionary(t => t.Name, t => t.Values), null);

    private void Index(params (string Tensor, string Shard)[] places) => File.WriteAllText(
        _folder["model.safetensors.index.json"],
        JsonSerializer.Serialize(new { weight_map = places.ToDictionary(p => p.Tensor, p => $"model-{p.Shard}.safetensors") }));
}
