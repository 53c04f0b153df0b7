using System.Globalization;
using System.Runtime.CompilerServices;
using Parquet;
using Parquet.Schema;

namespace Chorus.Simulation.Data.Import;

/// <summary>A parquet file. One row group of the columns asked for is held at a time.</summary>
internal sealed class ParquetRecords : RecordFile
{
    private readonly FileStream _file;
    private readonly ParquetReader _reader;
    private readonly Dictionary<string, DataField> _fields;

    private ParquetRecords(string path, FileStream file, ParquetReader reader) : base(path)
    {
        (_file, _reader) = (file, reader);
        DataField[] fields = reader.Schema.GetDataFields();
        _fields = fields.Where(IsPlain).ToDictionary(f => f.Name, StringComparer.Ordinal);
        Columns = [.. fields.Where(IsPlain).Select(f => f.Name)];
        ListColumns = [.. fields.Where(f => !IsPlain(f)).Select(f => f.Path.FirstPart!).Distinct()];
    }

    public override IReadOnlyList<string> Columns { get; }

    public override IReadOnlyList<string> ListColumns { get; }

    public static async Task<RecordFile> OpenParquetAsync(string path, CancellationToken ct)
    {
        FileStream file = File.OpenRead(path);
        try
        {
            return new ParquetRecords(path, file, await ParquetReader.CreateAsync(file, cancellationToken: ct).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            await file.DisposeAsync().ConfigureAwait(false);
            if (e is OperationCanceledException or DataFormatException) throw;
            throw Damaged(path, e);
        }
    }

    public override async IAsyncEnumerable<string?[]> ReadAsync(IReadOnlyList<string> columns, [EnumeratorCancellation] CancellationToken ct)
    {
        for (int group = 0; group < _reader.RowGroupCount; group++)
        {
            ct.ThrowIfCancellationRequested();
            string?[][] values;
            try
            {
                using ParquetRowGroupReader rows = _reader.OpenRowGroupReader(group);
                values = new string?[columns.Count][];
                for (int c = 0; c < values.Length; c++) values[c] = await ReadColumnAsync(rows, _fields[columns[c]], ct).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not (OperationCanceledException or DataFormatException))
            {
                throw Damaged(FilePath, e);   // the library throws what its decoders happen to throw
            }
            for (int row = 0; row < (values.Length == 0 ? 0 : values[0].Length); row++) yield return [.. values.Select(v => v[row])];
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _reader.DisposeAsync().ConfigureAwait(false);
        await _file.DisposeAsync().ConfigureAwait(false);
    }

    private static bool IsPlain(DataField field) => field is { MaxRepetitionLevel: 0, IsArray: false } && field.Path.Length == 1;

    private async Task<string?[]> ReadColumnAsync(ParquetRowGroupReader rows, DataField field, CancellationToken ct)
    {
        int count = checked((int)rows.RowCount);
        if (field.ClrType == typeof(ReadOnlyMemory<char>) || field.ClrType == typeof(string))
        {
            var texts = new string?[count];
            await rows.ReadAsync(field, texts!, cancellationToken: ct).ConfigureAwait(false);
            return texts;
        }
        if (field.ClrType == typeof(DateTime)) return await ReadAsync<DateTime>(d => d.ToString(d.TimeOfDay == TimeSpan.Zero ? "yyyy-MM-dd" : "s", CultureInfo.InvariantCulture)).ConfigureAwait(false);
        if (field.ClrType == typeof(DateOnly)) return await ReadAsync<DateOnly>(d => d.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)).ConfigureAwait(false);
        if (field.ClrType == typeof(int)) return await ReadAsync<int>(n => n.ToString(CultureInfo.InvariantCulture)).ConfigureAwait(false);
        if (field.ClrType == typeof(long)) return await ReadAsync<long>(n => n.ToString(CultureInfo.InvariantCulture)).ConfigureAwait(false);
        throw new DataFormatException(FilePath, null, $"text, a date or a whole number in column {field.Name}", field.ClrType.Name);

        async Task<string?[]> ReadAsync<T>(Func<T, string> write) where T : struct
        {
            if (!field.IsNullable)
            {
                var all = new T[count];
                await rows.ReadAsync<T>(field, all, cancellationToken: ct).ConfigureAwait(false);
                return [.. all.Select(write)];
            }
            var some = new T?[count];
            await rows.ReadAsync<T>(field, some, cancellationToken: ct).ConfigureAwait(false);
            return [.. some.Select(v => v is { } value ? write(value) : null)];
        }
    }

    private static DataFormatException Damaged(string path, Exception e) => new(path, null, "a parquet file", $"an error: {e.Message}", e);
}
