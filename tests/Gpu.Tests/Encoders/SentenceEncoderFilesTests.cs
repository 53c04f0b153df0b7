using Chorus.Gpu.Encoders;

namespace Chorus.Gpu.Tests.Encoders;

public sealed class SentenceEncoderFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SentenceEncoderFilesTests()
    {
        Write("modules.json", """[{"type": "models.Transformer", "path": ""}, {"type": "models.Pooling", "path": "pool"}, {"type": "models.Dense", "path": "dense"}]""");
        Write("config.json", "{}");
        Write("vocab.txt", "[UNK]");
        Write("model.safetensors", "weights");
        Write("pool/config.json", """{"pooling_mode": "mean"}""");
        Write("dense/config.json", "{}");
        Write("dense/model.safetensors", "more weights");
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("config.json")]
    [InlineData("vocab.txt")]
    [InlineData("model.safetensors")]
    [InlineData("dense/config.json")]
    [InlineData("dense/model.safetensors")]
    public void Given_a_file_that_is_read_When_it_changes_or_goes_Then_the_hash_changes(string name)
    {
        var before = SentenceEncoderFiles.Sha256(_folder.Path);
        File.AppendAllText(_folder[name], " ");
        var after = SentenceEncoderFiles.Sha256(_folder.Path);
        File.Delete(_folder[name]);
        Assert.Equal(3, new[] { before, after, SentenceEncoderFiles.Sha256(_folder.Path) }.Distinct().Count());
    }

    [Fact]
    public void Given_another_pooling_When_hashed_Then_the_hash_is_another()
    {
        var before = SentenceEncoderFiles.Sha256(_folder.Path);
        Write("pool/config.json", """{"pooling_mode": "cls"}""");
        Assert.NotEqual(before, SentenceEncoderFiles.Sha256(_folder.Path));
    }

    [Fact]
    public void Given_files_that_are_not_read_When_they_come_Then_the_hash_stays()
    {
        var before = SentenceEncoderFiles.Sha256(_folder.Path);
        Write("README.md", "text");
        Write("pytorch_model.bin", "weights again");
        Write("onnx/model.onnx", "and again");
        Assert.Equal(before, SentenceEncoderFiles.Sha256(_folder.Path + Path.DirectorySeparatorChar));
        Assert.Matches("^[0-9a-f]{64}$", before);
    }

    private void Write(string name, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllText(_folder[name], content);
    }
}
