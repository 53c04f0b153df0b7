using Parquet;
using Parquet.Schema;

namespace Chorus.Simulation.Tests.Data.Import;

/// <summary>Parquet files made for a test.</summary>
internal static class ParquetFiles
{
    /// <summary>Columns of texts, in row groups of so many rows.</summary>
    public static Task WriteAsync(string path, string[] columns, IReadOnlyList<string?[]> rows, int rowsAGroup = 1000) =>
        WriteAsync(path, new ParquetSchema(columns.Select(c => new DataField<string>(c))), async (writer, schema) =>
        {
            foreach (string?[][] group in rows.Chunk(rowsAGroup))
            {
                using ParquetRowGroupWriter g = writer.CreateRowGroup();
                for (int c = 0; c < columns.Length; c++)
                    await g.WriteAsync(schema.DataFields[c], [.. group.Select(r => r[c]!)]);
            }
        });

    public static async Task WriteAsync(string path, ParquetSchema schema, Func<ParquetWriter, ParquetSchema, Task> write)
    {
        await using FileStream file = File.Create(path);
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(schema, file);
        await write(writer, schema);
    }
}
