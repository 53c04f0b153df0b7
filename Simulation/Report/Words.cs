using System.Globalization;

namespace Chorus.Simulation.Report;

/// <summary>Figures as people read them; the same on every machine.</summary>
internal static class Words
{
    public const string Unknown = "–";

    public static string Count(long n) => n.ToString("N0", CultureInfo.InvariantCulture);

    public static string Counted(long n, string one) => $"{Count(n)} {one}{(n == 1 ? "" : "s")}";

    public static string Percent(double? share, int digits = 1) => Finite(share, s => (100 * s).ToString($"F{digits}", CultureInfo.InvariantCulture) + "%");

    /// <summary>Four significant digits or so.</summary>
    public static string Number(double? value) => Finite(value, v => Math.Abs(v) switch
    {
        0 => "0",
        < 1e-3 or >= 1e7 => v.ToString("0.###e0", CultureInfo.InvariantCulture),
        < 10 => v.ToString("0.####", CultureInfo.InvariantCulture),
        < 1000 => v.ToString("0.##", CultureInfo.InvariantCulture),
        _ => v.ToString("N0", CultureInfo.InvariantCulture),
    });

    /// <summary>Three significant digits, for tables and the labels of a chart.</summary>
    public static string Short(double? value) => Number(value is { } v && double.IsFinite(v) ? double.Parse(v.ToString("G3", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : value);

    public static string Duration(double seconds)
    {
        if (!double.IsFinite(seconds)) return Unknown;
        if (seconds < 10) return seconds.ToString("0.0", CultureInfo.InvariantCulture) + " s";
        long whole = (long)Math.Round(seconds);
        if (whole < 60) return $"{whole} s";
        return whole < 3600 ? $"{whole / 60} min {whole % 60} s" : $"{whole / 3600} h {whole % 3600 / 60} min";
    }

    private static string Finite(double? value, Func<double, string> write) => value switch
    {
        null => Unknown,
        double.PositiveInfinity => "∞",
        double.NegativeInfinity => "-∞",
        { } v when double.IsNaN(v) => "not a number",
        { } v => write(v),
    };
}
