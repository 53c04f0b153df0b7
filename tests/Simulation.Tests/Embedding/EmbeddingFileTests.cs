using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Tests.Data;

namespace Chorus.Simulation.Tests.Embedding;

public sealed class EmbeddingFileTests : IDisposable
{
    private const int Dimension = 5;

    private readonly TemporaryFolder _folder = new();
    private readonly ClientStore _clients;

    public EmbeddingFileTests() => _clients = ClientStore.Open(
        _folder.Write("c.json", """{"a": ["1", "2"], "b": [], "c": ["3"], "d": ["4", "5", "6"]}"""), Path.Combine(_folder.Path, "store"));

    public void Dispose()
    {
        _clients.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Given_clients_When_some_are_written_Then_those_and_no_others_are_read_in_any_process()
    {
        using EmbeddingFile one = Open();
        using EmbeddingFile other = Open();
        one.Write(3, Rows(3));
        other.Write(0, Rows(0));
        other.Write(1, []);

        foreach (EmbeddingFile file in (EmbeddingFile[])[one, other])
        {
            float[] rows = new float[2 * Dimension], of3 = new float[3 * Dimension];
            Assert.True(file.TryRead(0, rows));
            Assert.Equal(Rows(0), rows);
            Assert.True(file.TryRead(3, of3));
            Assert.Equal(Rows(3), of3);
            Assert.False(file.TryRead(2, new float[Dimension]));
            Assert.True(file.TryRead(1, []));
        }
    }

    [Fact]
    public void Given_rows_of_zeros_When_written_Then_they_are_told_from_what_nobody_wrote()
    {
        using EmbeddingFile file = Open();
        var rows = new float[Dimension];
        Assert.False(file.TryRead(2, rows));
        file.Write(2, new float[Dimension]);
        rows[0] = 1;
        Assert.True(file.TryRead(2, rows));
        Assert.All(rows, x => Assert.Equal(0, x));
    }

    [Fact]
    public void Given_any_damaged_byte_of_a_client_When_read_Then_its_rows_are_not_there_and_others_are()
    {
        using EmbeddingFile file = Open();
        file.Write(0, Rows(0));
        file.Write(2, Rows(2));
        string path = Directory.GetFiles(Path.Combine(_folder.Path, "embeddings")).Single();
        byte[] good = File.ReadAllBytes(path);
        for (int i = 0; i < (2 * Dimension * sizeof(float)) + sizeof(uint); i++)
        {
            byte[] bad = [.. good];
            bad[i] ^= 1;
            using (FileStream to = File.Open(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                to.Write(bad);
            Assert.False(file.TryRead(0, new float[2 * Dimension]));
            Assert.True(file.TryRead(2, new float[Dimension]));
        }
    }

    [Fact]
    public void Given_another_encoder_or_dimension_When_opened_Then_it_has_a_file_of_its_own()
    {
        using (EmbeddingFile file = Open())
            file.Write(2, Rows(2));
        using EmbeddingFile other = EmbeddingFile.Open(_clients, "other", Dimension, Path.Combine(_folder.Path, "embeddings"));
        Assert.False(other.TryRead(2, new float[Dimension]));
        using EmbeddingFile wider = EmbeddingFile.Open(_clients, "encoder", 2 * Dimension, Path.Combine(_folder.Path, "embeddings"));
        Assert.False(wider.TryRead(2, new float[2 * Dimension]));
        if (!OperatingSystem.IsWindows())
        {
            foreach (string path in Directory.GetFiles(Path.Combine(_folder.Path, "embeddings")))
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [Fact]
    public void Given_a_disk_without_room_When_written_Then_it_is_no_error_and_said()
    {
        if (!File.Exists("/dev/full"))
            return;
        string folder = Path.Combine(_folder.Path, "embeddings");
        Directory.CreateDirectory(folder);
        File.CreateSymbolicLink(Path.Combine(folder, $"{_clients.Sha256}.encoder.{Dimension}.embeddings"), "/dev/full");
        using EmbeddingFile file = Open();
        Assert.False(file.IsFull);
        file.Write(2, Rows(2));
        Assert.True(file.IsFull);
    }

    [Fact]
    public void Given_room_that_does_not_fit_When_read_or_written_Then_refused()
    {
        using EmbeddingFile file = Open();
        Assert.Throws<ArgumentException>(() => file.TryRead(0, new float[Dimension]));
        Assert.Throws<ArgumentException>(() => file.Write(2, new float[2 * Dimension]));
    }

    private EmbeddingFile Open() => EmbeddingFile.Open(_clients, "encoder", Dimension, Path.Combine(_folder.Path, "embeddings"));

    private float[] Rows(int client) => [.. Enumerable.Range(0, _clients.TextCountOf(client) * Dimension).Select(i => (client * 100) + (i * 0.5f))];
}
