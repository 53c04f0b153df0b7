namespace Chorus.Simulation.Data;

/// <summary>A data folder or one of its files is not as the format asks: a user's mistake, to be put right by the user.</summary>
/// <remarks>The message reads <c>FILE:LINE: expected ..., found ...</c>; without a line where none applies, e.g. for a missing file.</remarks>
public sealed class DataFormatException : Exception
{
    /// <param name="path">The file (or folder) at fault.</param>
    /// <param name="line">Its line, from 1; null where no line applies.</param>
    /// <param name="expected">What the format asks for.</param>
    /// <param name="found">What stands there instead. Never private text: a kind of value, an id, a number.</param>
    /// <param name="inner">What the parser or the system said, if anything.</param>
    public DataFormatException(string path, long? line, string expected, string found, Exception? inner = null)
        : base($"{path}{(line is { } at ? $":{at}" : "")}: expected {expected}, found {found}", inner)
    {
        FilePath = path;
        Line = line;
    }

    public string FilePath { get; }

    /// <summary>Line in the file, from 1.</summary>
    public long? Line { get; }
}
