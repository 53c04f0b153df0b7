using System.Buffers.Binary;
using System.Text;
using Chorus.Gpu.Checkpoints;
using CsCheck;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Checkpoints;

[Collection(TorchCollection.Name)]
public sealed class SafeTensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private string Write(string header, byte[] data)
    {
        var bytes = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        File.WriteAllBytes(_folder["t.safetensors"], [.. length, .. bytes, .. data]);
        return _folder["t.safetensors"];
    }

    [Fact]
    public void Given_the_formats_example_When_read_Then_values_and_metadata_are_there()
    {
        var path = Write("""{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}""",
            [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 7, 0, 0, 0, 0, 0, 0, 0]);
        var tensors = SafeTensors.Read(path, CPU);
        Assert.Equal([1f, -2f], tensors["a"].data<float>().ToArray());
        Assert.Equal([2L, 1L], tensors["a"].shape);
        Assert.Equal(7L, tensors["b"].item<long>());
        Assert.Equal("pt", SafeTensors.ReadMetadata(path)["format"]);
        foreach (var t in tensors.Values)
            t.Dispose();
    }

    [Fact]
    public void Given_tensors_of_each_type_When_written_and_read_Then_they_are_the_same()
    {
        var types = new[] { ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Int64, ScalarType.Int32, ScalarType.Int16, ScalarType.Int8, ScalarType.Byte, ScalarType.Bool };
        var tensors = types.ToDictionary(t => $"x.{t}", t => arange(6, ScalarType.Float32).reshape(2, 3).to(t));
        tensors["empty"] = zeros(0, 4);
        tensors["view"] = arange(12, ScalarType.Float32).reshape(3, 4).t().narrow(0, 1, 2); // strided, and not at its storage's start
        SafeTensors.Write(_folder["t.safetensors"], tensors, null);
        var read = SafeTensors.Read(_folder["t.safetensors"], CPU);
        Assert.Equal(tensors.Keys.Order(), read.Keys.Order());
        foreach (var (name, tensor) in tensors)
        {
            Assert.Equal(tensor.dtype, read[name].dtype);
            Assert.Equal(tensor.shape, read[name].shape);
            Assert.True(tensor.equal(read[name]).all().item<bool>(), name);
        }
        var wide = SafeTensors.Read(_folder["t.safetensors"], CPU, ScalarType.Float32);
        Assert.Equal(ScalarType.Float32, wide["x.BFloat16"].dtype);
        Assert.Equal(ScalarType.Int64, wide["x.Int64"].dtype);
        foreach (var t in read.Values.Concat(wide.Values))
            t.Dispose();
    }

    [Fact]
    public void Given_the_same_tensors_in_another_order_When_written_Then_the_bytes_are_the_same()
    {
        var (a, b) = (ones(3), zeros(2, 2));
        SafeTensors.Write(_folder["1"], new Dictionary<string, Tensor> { ["a"] = a, ["b"] = b }, new Dictionary<string, string> { ["x"] = "1", ["y"] = "2" });
        SafeTensors.Write(_folder["2"], new Dictionary<string, Tensor> { ["b"] = b, ["a"] = a }, new Dictionary<string, string> { ["y"] = "2", ["x"] = "1" });
        Assert.Equal(File.ReadAllBytes(_folder["1"]), File.ReadAllBytes(_folder["2"]));
        Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(_folder["1"])) % 8);
    }

    [Theory]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "tensor w (F32 [2]) must have 8 bytes")]
    [InlineData("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "tensor w ends at byte")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "the tensors end at byte")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "tensor w begins at byte")]
    [InlineData("""{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "tensor w begins at byte")]
    [InlineData("""{"w":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", "tensor w has type F8_E4M3")]
    [InlineData("""{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "tensor w has a damaged entry")]
    [InlineData("""{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "tensor w has a damaged entry")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2]}}""", "tensor w has a damaged entry")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "tensor w is there twice")]
    [InlineData("""{"w":""", "header is damaged")]
    [InlineData("""[]""", "header is damaged")]
    public void Given_a_damaged_header_When_read_Then_the_message_names_the_tensor(string header, string part)
    {
        var path = Write(header, new byte[8]);
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => SafeTensors.Read(path, CPU)).Message);
    }

    [Fact]
    public void Given_any_bytes_When_read_Then_they_are_refused_with_the_files_name() => Gen.Byte.Array[0, 64].Sample(bytes =>
    {
        File.WriteAllBytes(_folder["junk"], bytes);
        Assert.Contains("junk", Assert.Throws<InvalidDataException>(() => SafeTensors.Read(_folder["junk"], CPU)).Message);
    }, iter: 100, threads: 1);

    [Fact]
    public void Given_a_type_the_format_lacks_When_written_Then_the_tensor_is_named_and_no_file_is_left()
    {
        var e = Assert.Throws<NotSupportedException>(() => SafeTensors.Write(_folder["t"], new Dictionary<string, Tensor> { ["z"] = zeros(2, dtype: ScalarType.ComplexFloat32) }, null));
        Assert.Contains("tensor z", e.Message);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }
}
