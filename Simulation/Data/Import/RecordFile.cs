namespace Chorus.Simulation.Data.Import;

/// <summary>A file of records: rows with named columns, read a stretch at a time.</summary>
internal abstract class RecordFile(string path) : IAsyncDisposable
{
    public string FilePath { get; } = path;

    /// <summary>Names of the columns that hold one value a row, in the file's order.</summary>
    public abstract IReadOnlyList<string> Columns { get; }

    /// <summary>Columns that hold several values a row, which cannot be read.</summary>
    public virtual IReadOnlyList<string> ListColumns => [];

    /// <summary>The rows in order, each the values of the given columns as text; null where a row has none.</summary>
    /// <param name="columns">Some of <see cref="Columns"/>.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <exception cref="DataFormatException">The file is damaged.</exception>
    public abstract IAsyncEnumerable<string?[]> ReadAsync(IReadOnlyList<string> columns, CancellationToken ct);

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Opens a file by its ending.</summary>
    /// <exception cref="DataFormatException">There is none, it is of another kind, or damaged.</exception>
    public static async Task<RecordFile> OpenAsync(string path, CancellationToken ct)
    {
        if (!File.Exists(path)) throw new DataFormatException(path, null, "a .parquet or .json file, or a folder of them", "no such file");
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".parquet" => await ParquetRecords.OpenParquetAsync(path, ct).ConfigureAwait(false),
            ".json" => JsonRecords.Open(path),
            var other => throw new DataFormatException(path, null, "a .parquet or .json file", other.Length > 0 ? $"a {other} file" : "a file without an ending"),
        };
    }
}
