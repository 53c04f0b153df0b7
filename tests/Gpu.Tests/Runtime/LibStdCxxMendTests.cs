using Chorus.Gpu.Runtime;

namespace Chorus.Gpu.Tests.Runtime;

public sealed class LibStdCxxMendTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static (byte[] File, List<int> Flags) Library() => SyntheticElf.Build(
        ("libc.so.6", [("GLIBC_2.34", 0)]),
        ("libother.so.6", [(LibStdCxxMend.Version, 0)]), // the same name in another library is not ours to touch
        (LibStdCxxMend.Library, [("GLIBCXX_3.4.30", 0), (LibStdCxxMend.Version, 0), ("GLIBCXX_3.4", 0)]));

    [Fact]
    public void Given_the_requirement_When_mended_Then_only_the_weak_flag_of_that_entry_changes()
    {
        var (bytes, flags) = Library();
        var path = _folder["lib.so"];
        File.WriteAllBytes(path, bytes);
        Assert.True(LibStdCxxMend.Needed(path));
        Assert.True(LibStdCxxMend.Apply(path));
        bytes[flags[3]] = 2; // VER_FLG_WEAK
        Assert.Equal(bytes, File.ReadAllBytes(path));
        Assert.False(LibStdCxxMend.Needed(path));
        Assert.False(LibStdCxxMend.Apply(path));
    }

    [Fact]
    public void Given_no_requirement_When_mended_Then_the_file_is_left_alone()
    {
        var path = _folder["lib.so"];
        File.WriteAllBytes(path, SyntheticElf.Build((LibStdCxxMend.Library, [("GLIBCXX_3.4.30", 0)])).File);
        var before = File.GetLastWriteTimeUtc(path);
        Assert.False(LibStdCxxMend.Apply(path));
        Assert.Equal(before, File.GetLastWriteTimeUtc(path));
    }

    [Fact]
    public void Given_a_time_of_change_When_mended_Then_it_stays_and_no_file_is_left_over()
    {
        var path = _folder["lib.so"];
        File.WriteAllBytes(path, Library().File);
        var time = new DateTime(2020, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, time);
        LibStdCxxMend.Apply(path);
        Assert.Equal(time, File.GetLastWriteTimeUtc(path));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Given_a_symbolic_link_When_mended_Then_its_target_keeps_its_bytes()
    {
        if (OperatingSystem.IsWindows())
            return;
        var (bytes, _) = Library();
        File.WriteAllBytes(_folder["cache.so"], bytes);
        File.CreateSymbolicLink(_folder["lib.so"], _folder["cache.so"]);
        Assert.True(LibStdCxxMend.Apply(_folder["lib.so"]));
        Assert.Equal(bytes, File.ReadAllBytes(_folder["cache.so"]));
        Assert.False(LibStdCxxMend.Needed(_folder["lib.so"]));
    }

    [Fact]
    public void Given_several_processes_at_once_When_mended_Then_the_file_is_whole()
    {
        var path = _folder["lib.so"];
        File.WriteAllBytes(path, Library().File);
        Parallel.For(0, 16, _ => LibStdCxxMend.Apply(path));
        Assert.False(LibStdCxxMend.Needed(path));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Given_a_folder_that_takes_no_new_file_When_mended_Then_the_message_says_what_to_do()
    {
        // A name so long that none can be made beside it stands for a read-only folder, which a test run as root can write.
        var path = _folder[new string('x', 250)];
        File.WriteAllBytes(path, Library().File);
        var e = Assert.Throws<IOException>(() => LibStdCxxMend.Apply(path));
        Assert.Contains("cannot be written", e.Message);
        Assert.True(LibStdCxxMend.Needed(path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(70)]
    [InlineData(600)]
    public void Given_a_file_cut_short_When_read_Then_it_is_refused(int length)
    {
        var path = _folder["lib.so"];
        File.WriteAllBytes(path, Library().File[..length]);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => LibStdCxxMend.Needed(path)).Message);
    }

    [Fact]
    public void Given_this_systems_library_When_looked_for_Then_it_is_found_and_agrees_with_our_own_output()
    {
        var output = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libLibTorchSharp.so");
        if (!OperatingSystem.IsLinux() || !File.Exists(output))
            return;
        Assert.NotNull(LibStdCxxMend.FindLibrary());
        TorchRuntime.Prepare(2);
        Assert.False(LibStdCxxMend.SystemLacksVersion() && LibStdCxxMend.Needed(output));
    }
}
