using Chorus.Gpu.Cuda;

namespace Chorus.Gpu.Tests.Cuda;

public class CudaKernelTests
{
    [Theory]
    [InlineData("gram_norm_sm90.cu", "gram_norm_sm90")]
    [InlineData("noise_update.cu", "noise_update")]
    [InlineData("sample_norms_sm80.cu", "direct_norm")]
    [InlineData("sample_rows.cu", "weigh_rows")]
    [InlineData("norm_layer.cu", "norm_backward")]
    public void Given_a_kernel_When_its_source_is_asked_for_Then_it_is_in_the_assembly(string file, string name) =>
        Assert.Contains($"extern \"C\" __global__ void", CudaKernel.SourceOf(file).Contains(name, StringComparison.Ordinal) ? CudaKernel.SourceOf(file) : "", StringComparison.Ordinal);

    [Fact]
    public void Given_a_name_that_is_no_kernel_When_asked_for_Then_it_is_named() =>
        Assert.Contains("no_such.cu", Assert.Throws<CudaException>(() => CudaKernel.SourceOf("no_such.cu")).Message, StringComparison.Ordinal);

    [Fact]
    public void Given_a_machine_without_the_driver_When_a_device_is_asked_for_Then_the_message_says_so()
    {
        if (CudaDevice.KernelsAvailable)
            return;
        Assert.Contains("driver", Assert.Throws<CudaException>(() => CudaDevice.Of(0)).Message, StringComparison.Ordinal);
    }

    [GpuFact]
    public void Given_a_source_that_is_wrong_When_compiled_Then_the_message_holds_name_options_and_log()
    {
        var e = Assert.Throws<CudaException>(() => Nvrtc.Compile("extern \"C\" __global__ void f() { nonsense; }", "wrong.cu", ["--gpu-architecture=sm_80"]));
        Assert.Contains("wrong.cu", e.Message, StringComparison.Ordinal);
        Assert.Contains("sm_80", e.Message, StringComparison.Ordinal);
        Assert.Contains("nonsense", e.Message, StringComparison.Ordinal);
    }
}
