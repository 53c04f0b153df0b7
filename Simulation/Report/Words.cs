using System.Globalization;

namespace Chorus.Simulation.Report;

/// <summary>Figures as people read them; the same on every machine.</summary>
internal static class Words
{
    public const string Unknown = "–";

    /// <summary>A method's name as papers write it.</summary>
    public static string Method(string name) => name switch
    {
        "popri" => "POPri",
        "popri-plus" => "POPri+",
        "pe" => "PE",
        "pe-sft" => "PE + SFT",
        "dp-fedavg" => "DP-FedAvg",
        "dp-ftrl" => "DP-FTRL",
        "dp-sgd" => "DP-SGD",
        "untuned" => "untuned policy",
        "public" => "public texts",
        "private" => "private texts",
        _ => name,
    };

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

    /// <summary>Bytes in units of a thousand.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1000 => $"{bytes} B",
        < 1_000_000 => $"{Number(Math.Round(bytes / 1e3, 1))} kB",
        < 1_000_000_000 => $"{Number(Math.Round(bytes / 1e6, 1))} MB",
        _ => $"{Number(Math.Round(bytes / 1e9, 1))} GB",
    };

    public static string Duration(double seconds)
    {
        if (!double.IsFinite(seconds)) return Unknown;
        if (seconds == 0) return "0 s";
        if (seconds < 0.1) return seconds < 1e-4 ? $"{Number(Math.Round(seconds * 1e6))} µs" : $"{Number(Math.Round(seconds * 1e3, 1))} ms";
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
