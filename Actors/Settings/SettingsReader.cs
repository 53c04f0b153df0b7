using System.Globalization;
using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace Chorus.Actors.Settings;

/// <summary>
/// Reads typed values from HOCON below the root <c>chorus</c>. A key that the reference does not have, a value of
/// another type and a number out of its range are <see cref="SettingsException"/>s that name the key.
/// </summary>
public sealed class SettingsReader
{
    private const string Root = "chorus";

    private readonly SortedDictionary<string, string> _values;

    /// <param name="reference">Every key with its default.</param>
    /// <param name="overrides">Later ones win. Each has a name for messages.</param>
    public SettingsReader(Config reference, params IEnumerable<(string Name, Config Config)> overrides)
    {
        _values = Flatten(reference, "reference.conf");
        foreach (var (name, config) in overrides)
        {
            foreach (var (key, value) in Flatten(config, name))
            {
                if (!_values.ContainsKey(key))
                    throw new SettingsException(UnknownKey(name, key));
                _values[key] = value;
            }
        }
    }

    /// <summary>All keys with their resolved values, in the order of their names.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>The resolved settings as a HOCON document that reads back to the same values.</summary>
    public string ToHocon() =>
        string.Concat(_values.Select(v => $"{Root}.{v.Key} = {Quote(v.Value)}\n"));

    public string Text(string key) => _values[key];

    public int Int(string key, int min, int max = int.MaxValue) =>
        int.TryParse(_values[key], NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? value
            : throw Wrong(key, max == int.MaxValue ? $"a whole number of at least {min}" : $"a whole number in [{min}, {max}]");

    public ulong UInt64(string key) =>
        ulong.TryParse(_values[key], NumberStyles.Integer, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Wrong(key, "a whole number of at least 0");

    /// <summary>A finite number in (<paramref name="above"/>, <paramref name="max"/>].</summary>
    public double Above(string key, double above, double max = double.MaxValue) =>
        TryDouble(key, out var value) && value > above && value <= max
            ? value
            : throw Wrong(key, max == double.MaxValue ? $"a number above {Say(above)}" : $"a number in ({Say(above)}, {Say(max)}]");

    /// <summary>Infinity for <c>inf</c>, else a number as in <see cref="Above"/>.</summary>
    public double InfinityOrAbove(string key, double above, double max) => _values[key] == "inf" ? double.PositiveInfinity
        : TryDouble(key, out var value) && value > above && value <= max ? value
        : throw Wrong(key, $"a number in ({Say(above)}, {Say(max)}], or inf for no noise");

    /// <summary>A finite number in [<paramref name="min"/>, <paramref name="max"/>].</summary>
    public double From(string key, double min, double max = double.MaxValue) =>
        TryDouble(key, out var value) && value >= min && value <= max
            ? value
            : throw Wrong(key, max == double.MaxValue ? $"a number of at least {Say(min)}" : $"a number in [{Say(min)}, {Say(max)}]");

    /// <summary>Null for <c>auto</c>, else a number as in <see cref="Above"/>.</summary>
    public double? AutoOrAbove(string key, double above, double max = double.MaxValue) =>
        _values[key] == "auto" ? null : Above(key, above, max);

    /// <summary>Null for <c>auto</c>, else a finite number in [<paramref name="min"/>, <paramref name="max"/>].</summary>
    public double? AutoOrFrom(string key, double min, double max) => _values[key] == "auto" ? null
        : TryDouble(key, out var value) && value >= min && value <= max ? value
        : throw Wrong(key, $"auto or a number in [{Say(min)}, {Say(max)}]");

    /// <summary>Null for <c>auto</c>, else a whole number in [<paramref name="min"/>, <paramref name="max"/>].</summary>
    public int? AutoOrInt(string key, int min, int max) => _values[key] == "auto" ? null
        : int.TryParse(_values[key], NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max ? value
        : throw Wrong(key, $"auto or a whole number in [{min}, {max}]");

    public bool Flag(string key) => _values[key] switch
    {
        "on" or "true" or "yes" => true,
        "off" or "false" or "no" => false,
        _ => throw Wrong(key, "on or off"),
    };

    public string OneOf(string key, params ReadOnlySpan<string> allowed) =>
        allowed.Contains(_values[key]) ? _values[key] : throw Wrong(key, "one of " + string.Join(", ", allowed.ToArray()));

    public TimeSpan Duration(string key)
    {
        try
        {
            var value = ConfigurationFactory.ParseString($"d = {_values[key]}").GetTimeSpan("d", allowInfinite: false);
            return value > TimeSpan.Zero ? value : throw Wrong(key, "a duration above zero such as 30s, 10m or 2h");
        }
        catch (Exception e) when (e is not SettingsException)
        {
            throw Wrong(key, "a duration such as 30s, 10m or 2h");
        }
    }

    /// <summary>The message of a value that is not allowed.</summary>
    public SettingsException Wrong(string key, string allowed) =>
        new($"{Root}.{key} must be {allowed}, got \"{_values[key]}\"");

    private bool TryDouble(string key, out double value) =>
        double.TryParse(_values[key], NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);

    private static string Say(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private string UnknownKey(string name, string key)
    {
        var nearest = _values.Keys.MinBy(k => (EditDistance(k, key), k))!;
        return $"{name}: unknown key {Root}.{key}; the nearest known key is {Root}.{nearest}";
    }

    private static SortedDictionary<string, string> Flatten(Config config, string name)
    {
        var values = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (config.Root is null || !config.Root.IsObject())
            return values;
        foreach (var (key, value) in config.Root.GetObject().Items)
        {
            if (key != Root)
                throw new SettingsException($"{name}: unknown key {key}; a run file has one root, {Root} {{ ... }}");
            Walk(value, "", values, name);
        }

        return values;
    }

    private static void Walk(HoconValue value, string path, SortedDictionary<string, string> values, string name)
    {
        if (value.IsObject())
        {
            foreach (var (key, child) in value.GetObject().Items)
                Walk(child, path.Length == 0 ? key : $"{path}.{key}", values, name);
        }
        else if (value.IsArray())
        {
            throw new SettingsException($"{name}: {Root}.{path} is a list; no setting is one");
        }
        else if (path.Length == 0)
        {
            throw new SettingsException($"{name}: {Root} must be an object {{ ... }}");
        }
        else
        {
            values[path] = value.GetString() ?? "";
        }
    }

    /// <summary>A value as HOCON reads it back.</summary>
    internal static string Quote(string value) =>
        value.Length > 0 && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '+')
            ? value
            : $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    /// <summary>Levenshtein distance, two rows.</summary>
    internal static int EditDistance(string a, string b)
    {
        var previous = Enumerable.Range(0, b.Length + 1).ToArray();
        var current = new int[b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
                current[j] = Math.Min(Math.Min(current[j - 1], previous[j]) + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
            (previous, current) = (current, previous);
        }

        return previous[b.Length];
    }
}
