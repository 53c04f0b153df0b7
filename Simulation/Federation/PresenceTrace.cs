using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Chorus.Simulation.Data;

namespace Chorus.Simulation.Federation;

/// <summary>When recorded devices could be reached, from a CSV file.</summary>
/// <remarks>
/// <code>
/// device,from,to
/// a,0,21600
/// a,79200,86400
/// b,3600,7200
/// </code>
/// Times are seconds from the trace's midnight, from less than to; a device's intervals may come in any order, and those that touch
/// or overlap are one. The trace repeats after its period. Lines that are empty or begin with # are left out.
/// </remarks>
public sealed class PresenceTrace
{
    private const string Header = "device,from,to";

    private PresenceTrace(double period, ImmutableArray<ImmutableArray<(double From, double To)>> devices, string sha256) =>
        (Period, Devices, Sha256) = (period, devices, sha256);

    /// <summary>Seconds after which it repeats.</summary>
    public double Period { get; }

    /// <summary>For each device, in the order of the file, its intervals in seconds, ascending and apart.</summary>
    public ImmutableArray<ImmutableArray<(double From, double To)>> Devices { get; }

    /// <summary>SHA-256 of the file's bytes, lower-case hexadecimal.</summary>
    public string Sha256 { get; }

    /// <param name="path">The file.</param>
    /// <param name="period">After which the trace repeats; no interval may end later.</param>
    /// <exception cref="DataFormatException">The file is missing or not as above; the message names the line.</exception>
    public static PresenceTrace Read(string path, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!(period > TimeSpan.Zero))
            throw new ArgumentOutOfRangeException(nameof(period), $"period must be above 0, got {period}");
        if (!File.Exists(path))
            throw new DataFormatException(path, null, "a trace of when devices can be reached", "no such file");
        var order = new List<string>();
        var intervals = new Dictionary<string, List<(double From, double To)>>(StringComparer.Ordinal);
        bool headed = false;
        long number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            string trimmed = line.Trim();
            if (trimmed.Length == 0 || trimmed[0] == '#')
                continue;
            if (!headed)
            {
                headed = trimmed.Replace(" ", "", StringComparison.Ordinal) == Header
                    ? true
                    : throw new DataFormatException(path, number, $"the heading {Header}", $"\"{trimmed}\"");
                continue;
            }

            string[] fields = trimmed.Split(',', StringSplitOptions.TrimEntries);
            if (fields.Length != 3 || fields[0].Length == 0)
                throw new DataFormatException(path, number, Header, $"\"{trimmed}\"");
            double from = Seconds(fields[1]), to = Seconds(fields[2]);
            if (!(from >= 0 && from < to && to <= period.TotalSeconds))
                throw new DataFormatException(path, number, FormattableString.Invariant($"0 <= from < to <= {period.TotalSeconds} (the period in seconds)"), $"from {fields[1]}, to {fields[2]}");
            if (!intervals.TryGetValue(fields[0], out List<(double From, double To)>? own))
            {
                order.Add(fields[0]);
                intervals[fields[0]] = own = [];
            }

            own.Add((from, to));
        }

        return order.Count > 0
            ? new PresenceTrace(period.TotalSeconds, [.. order.Select(device => Joined(intervals[device]))], Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))))
            : throw new DataFormatException(path, number, "at least one device", "none");

        double Seconds(string field) => double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds)
            ? seconds
            : throw new DataFormatException(path, number, "times in seconds", $"\"{field}\"");
    }

    /// <summary>Until when a device that can be reached at a time stays so; null where it cannot be reached.</summary>
    /// <param name="device">Index in <see cref="Devices"/>.</param>
    /// <param name="at">Seconds from the first midnight; the result too.</param>
    public double? ReachableUntil(int device, double at)
    {
        ImmutableArray<(double From, double To)> own = Devices[device];
        double begin = Math.Floor(at / Period) * Period;
        foreach ((double from, double to) in own)
        {
            if (!(at >= begin + from && at < begin + to))
                continue;
            if (to < Period || own[0].From > 0)
                return begin + to;
            // Over the period's end: on into the first interval, which may be the whole period.
            return own[0].To == Period ? double.PositiveInfinity : begin + Period + own[0].To;
        }

        return null;
    }

    private static ImmutableArray<(double From, double To)> Joined(List<(double From, double To)> intervals)
    {
        var joined = new List<(double From, double To)>();
        foreach ((double from, double to) in intervals.Order())
        {
            if (joined.Count > 0 && from <= joined[^1].To)
                joined[^1] = (joined[^1].From, Math.Max(joined[^1].To, to));
            else
                joined.Add((from, to));
        }

        return [.. joined];
    }
}
