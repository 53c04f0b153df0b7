using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Chorus.Gpu.Tokenizers.Unicode;

/// <summary>The normalisation forms NFD, NFC, NFKD and NFKC (Unicode Standard Annex #15).</summary>
/// <remarks>
/// Chorus runs with invariant globalization, so that it needs no ICU on the machine; there string.Normalize returns its
/// input unchanged. The table is forms.txt, which make-forms.py writes.
/// </remarks>
internal static class UnicodeForms
{
    // Hangul syllables are computed (Unicode Standard, section 3.12).
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int VowelCount = 21, TailCount = 28, LeadCount = 19;
    private const int SyllableCount = LeadCount * VowelCount * TailCount;

    private static readonly Lazy<Tables> Loaded = new(Tables.Read);

    internal static string Decompose(string text, bool compatibility)
    {
        if (Ascii.IsValid(text))
            return text;
        var points = Decomposed(text, compatibility);
        return ToText(points);
    }

    internal static string Compose(string text, bool compatibility)
    {
        if (Ascii.IsValid(text))
            return text;
        var tables = Loaded.Value;
        var points = Decomposed(text, compatibility);
        var starter = -1; // where in the result the last starter stands
        var lastClass = 0; // the class of the mark that was kept last after it
        var length = 0;
        for (var i = 0; i < points.Count; i++)
        {
            var point = points[i];
            var order = tables.Class(point);
            // A mark is blocked by one of the same or a higher class between it and the starter, a starter by any mark.
            var adjacent = starter == length - 1;
            if (starter >= 0 && (adjacent || lastClass < order) && tables.TryCompose(points[starter], point, out var composed))
            {
                points[starter] = composed;
                continue;
            }
            if (order == 0)
                starter = length;
            lastClass = order;
            points[length++] = point;
        }
        points.RemoveRange(length, points.Count - length);
        return ToText(points);
    }

    private static List<int> Decomposed(string text, bool compatibility)
    {
        var tables = Loaded.Value;
        var points = new List<int>(text.Length + 8);
        foreach (var rune in text.EnumerateRunes())
            tables.Decompose(rune.Value, compatibility, points);
        // Each run of marks in the order of their classes, equals as they came.
        for (var start = 0; start < points.Count; start++)
        {
            var end = start;
            while (end < points.Count && tables.Class(points[end]) != 0)
                end++;
            if (end - start < 2)
                continue;
            var sorted = points.GetRange(start, end - start).OrderBy(tables.Class).ToArray();
            for (var i = start; i < end; i++)
                points[i] = sorted[i - start];
            start = end;
        }
        return points;
    }

    private static string ToText(List<int> points)
    {
        var text = new StringBuilder(points.Count);
        Span<char> units = stackalloc char[2];
        foreach (var point in points)
            text.Append(units[..new Rune(point).EncodeToUtf16(units)]);
        return text.ToString();
    }

    private sealed class Tables
    {
        private readonly FrozenDictionary<int, int[]> _canonical;
        private readonly FrozenDictionary<int, int[]> _compatibility;
        private readonly FrozenDictionary<long, int> _compositions;
        private readonly FrozenDictionary<int, int> _classes;

        private Tables(Dictionary<int, int[]> canonical, Dictionary<int, int[]> compatibility, Dictionary<long, int> compositions, Dictionary<int, int> classes)
        {
            _canonical = canonical.ToFrozenDictionary();
            _compatibility = compatibility.ToFrozenDictionary();
            _compositions = compositions.ToFrozenDictionary();
            _classes = classes.ToFrozenDictionary();
        }

        internal static Tables Read()
        {
            Dictionary<int, int[]> canonical = [], compatibility = [];
            Dictionary<long, int> compositions = [];
            Dictionary<int, int> classes = [];
            using var stream = typeof(UnicodeForms).Assembly.GetManifestResourceStream("Chorus.Gpu.Tokenizers.Unicode.forms.txt")
                ?? throw new InvalidOperationException("forms.txt is not embedded in Chorus.Gpu");
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                if (line[0] == '#')
                    continue;
                var numbers = line[2..].Split(' ').Select(n => int.Parse(n, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToArray();
                switch (line[0])
                {
                    case 'P':
                        compositions.Add(Pair(numbers[1], numbers[2]), numbers[0]);
                        canonical.Add(numbers[0], numbers[1..]);
                        break;
                    case 'C':
                        canonical.Add(numbers[0], numbers[1..]);
                        break;
                    case 'K':
                        compatibility.Add(numbers[0], numbers[1..]);
                        break;
                    case 'M':
                        for (var point = numbers[1]; point <= numbers[2]; point++)
                            classes.Add(point, numbers[0]);
                        break;
                    default:
                        throw new InvalidOperationException($"forms.txt: unknown line \"{line}\"");
                }
            }
            return new Tables(canonical, compatibility, compositions, classes);
        }

        internal int Class(int point) => point < 0x300 ? 0 : _classes.GetValueOrDefault(point);

        internal void Decompose(int point, bool compatibility, List<int> into)
        {
            if ((uint)(point - SyllableBase) < SyllableCount)
            {
                var index = point - SyllableBase;
                into.Add(LeadBase + (index / (VowelCount * TailCount)));
                into.Add(VowelBase + (index % (VowelCount * TailCount) / TailCount));
                if (index % TailCount != 0)
                    into.Add(TailBase + (index % TailCount));
            }
            else if (point >= 0xA0 && (_canonical.TryGetValue(point, out var parts) || (compatibility && _compatibility.TryGetValue(point, out parts))))
            {
                foreach (var part in parts)
                    Decompose(part, compatibility, into);
            }
            else
            {
                into.Add(point);
            }
        }

        internal bool TryCompose(int first, int second, out int composed)
        {
            if ((uint)(first - LeadBase) < LeadCount && (uint)(second - VowelBase) < VowelCount)
            {
                composed = SyllableBase + ((((first - LeadBase) * VowelCount) + second - VowelBase) * TailCount);
                return true;
            }
            if ((uint)(first - SyllableBase) < SyllableCount && (first - SyllableBase) % TailCount == 0
                && second is > TailBase and < TailBase + TailCount)
            {
                composed = first + second - TailBase;
                return true;
            }
            return _compositions.TryGetValue(Pair(first, second), out composed);
        }

        private static long Pair(int first, int second) => ((long)first << 32) | (uint)second;
    }
}
