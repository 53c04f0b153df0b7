using Chorus.Gpu.Runtime;

namespace Chorus.Gpu.Tests.Runtime;

public sealed class NativeLibrariesTests
{
    [Fact]
    public void Given_a_folder_without_all_of_libtorch_When_it_is_checked_Then_the_missing_files_are_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["libc10.so"], []);
        var message = Assert.Throws<TorchLoadException>(() => NativeLibraries.CheckForeign(folder.Path)).Message;
        Assert.Contains($"CHORUS_LIBTORCH is {folder.Path}, where libtorch_cpu.so, libtorch.so are missing", message);
        File.WriteAllBytes(folder["libtorch_cpu.so"], []);
        File.WriteAllBytes(folder["libtorch.so"], []);
        NativeLibraries.CheckForeign(folder.Path); // CUDA's libraries may be absent: then it is a libtorch for the CPU
    }
}
