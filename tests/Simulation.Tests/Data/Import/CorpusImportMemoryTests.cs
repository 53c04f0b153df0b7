using Chorus.Simulation.Data.Import;

namespace Chorus.Simulation.Tests.Data.Import;

/// <summary>Runs while nothing else does: what it measures is the whole process' memory.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

[Collection("alone")]
public sealed class CorpusImportMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_many_rows_When_imported_Then_memory_is_bounded_by_a_stretch_of_them()
    {
        string path = Path.Combine(_folder.Path, "big.parquet");
        await WriteAsync(path);
        long before = GC.GetTotalMemory(forceFullCollection: true), most = 0;
        var watch = new Watch(rows =>
        {
            if (rows % 15_000 == 0)
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
        });
        var settings = new ImportSettings { Cutter = new TextCutter(null, 0, split: true), EvalShare = 0.001, Initial = [.. Enumerable.Range(0, 12).Select(i => $"public {i}")] };
        ImportSummary summary = await CorpusImport.RunAsync([path], settings, Path.Combine(_folder.Path, "out"), watch);

        Assert.True(summary.Texts > 29_000 && most > 0);
        Assert.InRange(most - before, long.MinValue, 15L << 20);   // the texts are 60 MB as UTF-16; ids and fingerprints of 30,000 rows some 5
    }

    private static Task WriteAsync(string path)
    {
        string filler = new('x', 1000);
        return ParquetFiles.WriteAsync(path, ["text"], [.. Enumerable.Range(0, 30_000).Select(i => new string?[] { $"{i} {filler}" })], rowsAGroup: 500);
    }

    private sealed class Watch(Action<int> tell) : IProgress<int>
    {
        public void Report(int value) => tell(value);
    }
}
