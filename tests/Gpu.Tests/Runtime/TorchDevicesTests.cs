using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Gpu.Tests.Runtime;

[Collection(TorchCollection.Name)]
public sealed class TorchDevicesTests
{
    [Theory]
    [InlineData("cpu", 0, DeviceType.CPU, -1)]
    [InlineData("auto", 0, DeviceType.CPU, -1)]
    [InlineData("auto", 2, DeviceType.CUDA, 0)]
    [InlineData("cuda", 2, DeviceType.CUDA, 0)]
    [InlineData("cuda:1", 2, DeviceType.CUDA, 1)]
    public void Given_a_name_When_parsed_Then_it_is_that_device(string name, int gpus, DeviceType type, int index)
    {
        var device = TorchDevices.Parse(name, gpus);
        Assert.Equal(type, device.type);
        Assert.Equal(index, device.index);
    }

    [Theory]
    [InlineData("cuda", 0, "here: cpu.")]
    [InlineData("cuda:1", 1, "cpu, cuda:0.")]
    [InlineData("cuda:4", 4, "cuda:0 to cuda:3.")]
    [InlineData("cuda:-1", 2, "must be auto, cpu, cuda or cuda:N")]
    [InlineData("gpu", 2, "got \"gpu\"")]
    [InlineData("", 0, "got \"\"")]
    public void Given_a_device_that_is_not_here_When_parsed_Then_the_message_says_what_is(string name, int gpus, string part)
    {
        var e = Assert.Throws<DeviceNotFoundException>(() => TorchDevices.Parse(name, gpus));
        Assert.Contains(part, e.Message);
    }

    [Fact]
    public void Given_this_machine_When_auto_is_parsed_Then_a_tensor_can_be_made_there()
    {
        using var t = torch.ones(3, device: TorchDevices.Parse("auto"));
        Assert.Equal(3f, t.sum().item<float>());
    }
}
