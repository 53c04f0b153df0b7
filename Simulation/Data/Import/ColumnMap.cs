namespace Chorus.Simulation.Data.Import;

/// <summary>Which column of the records holds what.</summary>
/// <param name="Text">The text.</param>
/// <param name="Client">Whose it is; null where each row is a client of its own.</param>
/// <param name="Date">When it was written; null where nothing asks for it.</param>
/// <param name="Topic">What it is about, if that is known.</param>
/// <param name="Id">Names a text that may come in several versions, of which the first is taken; null where none does.</param>
public sealed record ColumnMap(string Text, string? Client, string? Date, string? Topic, string? Id)
{
    /// <summary>For each row a client of its own.</summary>
    public const string Row = "row";

    /// <summary>No such column.</summary>
    public const string None = "none";

    // As the two corpora of LargeFedBench call them (bioRxiv's API: abstract, date, category, doi; the Congressional data: data, date_str), then
    // as others do.
    private static readonly string[] Texts = ["abstract", "data", "text", "content", "speech", "body"];
    private static readonly string[] Dates = ["date_str", "date", "published", "timestamp"];
    private static readonly string[] Topics = ["category", "topic", "subject", "label"];
    private static readonly string[] Ids = ["doi"];

    /// <summary>The columns in the order in which they are read.</summary>
    internal string[] Read => [.. new[] { Text, Client, Date, Topic, Id }.OfType<string>().Distinct()];

    /// <summary>Finds the columns: those that are named, and for the others a column of a usual name.</summary>
    /// <param name="file">Whose columns.</param>
    /// <param name="named">What is asked for; null to find one by name.</param>
    /// <param name="needsDate">Whether something is split or chosen by date.</param>
    /// <exception cref="DataFormatException">A named column is not there, or none holds the texts, or the dates that are needed.</exception>
    internal static ColumnMap Of(RecordFile file, ColumnNames named, bool needsDate)
    {
        return new ColumnMap(
            Find("text", named.Text, Texts) ?? throw Missing("texts", "--text"),
            named.Client is null or Row ? null : Find("client", named.Client, []),
            needsDate ? Find("date", named.Date, Dates) ?? throw Missing("dates", "--date") : null,
            Find("topic", named.Topic, Topics),
            Find("id", named.Id, Ids));

        string? Find(string option, string? name, string[] usual)
        {
            if (name == None) return null;
            if (name is null) return usual.FirstOrDefault(file.Columns.Contains);
            if (file.ListColumns.Contains(name))
                throw new DataFormatException(file.FilePath, null, $"one value a row in column {name} (--{option})", "a list of values");
            return file.Columns.Contains(name) ? name : throw new DataFormatException(file.FilePath, null, $"the column {name} (--{option})", $"the columns {Shown(file)}");
        }

        DataFormatException Missing(string what, string option) =>
            new(file.FilePath, null, $"a column of {what} (name it by {option})", $"the columns {Shown(file)}");
    }

    private static string Shown(RecordFile file) => file.Columns.Count > 0 ? string.Join(", ", file.Columns) : "none with one value a row";
}

/// <summary>Columns that a user names; null where a usual name is looked for, "none" for no such column.</summary>
/// <param name="Client">Null or "row": each row is a client of its own, as in LargeFedBench.</param>
public sealed record ColumnNames(string? Text = null, string? Client = null, string? Date = null, string? Topic = null, string? Id = null);
