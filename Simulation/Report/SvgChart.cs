using System.Text;
using System.Xml.Linq;
using ScottPlot;

namespace Chorus.Simulation.Report;

/// <summary>A small chart drawn by ScottPlot and handed on as SVG that lives inside a page.</summary>
/// <remarks>
/// ScottPlot draws lines, bars and grid on a fixed layout; labels are written here as SVG text, since a drawn label needs a
/// font on the machine that draws and vanishes where there is none, as in most containers. Colours are stand-ins that
/// become classes, so that the page's style sheet decides them, in light and in dark. Ids carry the chart's name.
/// </remarks>
internal sealed class SvgChart
{
    public const int Width = 460;
    public const int Height = 250;

    /// <summary>Series that have a colour of their own each.</summary>
    public const int MostSeries = 7;

    private const float Left = 58, Right = 18, Top = 18, Bottom = 40;

    /// <summary>Stand-in colours and the style sheet's name for each.</summary>
    private static readonly (string Hex, string Name)[] Inks =
    [
        ("#010101", "axis"), ("#020202", "grid"), ("#030303", "series"), ("#040404", "quiet"), ("#050505", "limit"), ("#060606", "series-2"), ("#070707", "series-3"),
        ("#080808", "series-4"), ("#090909", "series-5"), ("#0a0a0a", "series-6"), ("#0b0b0b", "series-7"),
    ];

    private readonly Plot _plot = new();
    private readonly StringBuilder _labels = new();
    private readonly double _xMin, _xMax, _yMin, _yMax;
    private readonly float _left, _right;
    private readonly int _height;

    /// <param name="x">Limits of the horizontal axis, ascending.</param>
    /// <param name="y">Limits of the vertical axis, ascending.</param>
    /// <param name="left">Room for the labels of the vertical axis, pixels.</param>
    /// <param name="right">Room for labels behind the plot, pixels.</param>
    /// <param name="height">Of the whole chart, pixels.</param>
    public SvgChart((double Min, double Max) x, (double Min, double Max) y, float left = Left, float right = Right, int height = Height)
    {
        ((_xMin, _xMax), (_yMin, _yMax), _left, _right, _height) = (x, y, left, right, height);
        _plot.FigureBackground.Color = Colors.Transparent;
        _plot.DataBackground.Color = Colors.Transparent;
        _plot.Axes.Color(Ink("axis"));
        _plot.Grid.MajorLineColor = Ink("grid");
        _plot.Layout.Fixed(new PixelPadding(left, right, Bottom, Top));
        _plot.Axes.SetLimits(x.Min, x.Max, y.Min, y.Max);
        foreach (IAxis axis in _plot.Axes.GetAxes())
        {
            axis.TickLabelStyle.IsVisible = false;
            axis.MajorTickStyle.Length = 0;
            axis.MinorTickStyle.Length = 0;
            axis.FrameLineStyle.Width = 0;
        }
        _plot.Axes.Bottom.FrameLineStyle.Width = 1;
    }

    public Plot Plot => _plot;

    /// <summary>The stand-in for a colour of the style sheet.</summary>
    public static Color Ink(string name) => Color.FromHex(Inks.Single(i => i.Name == name).Hex);

    /// <summary>The name of a series' colour, and of the labels in it.</summary>
    /// <param name="series">From 0; beyond the last all are grey.</param>
    public static string InkOf(int series) => series switch { 0 => "series", < MostSeries => $"series-{series + 1}", _ => "quiet" };

    public SvgChart XTicks(IReadOnlyList<double> at, Func<double, string> label, string title)
    {
        _plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. at], [.. at.Select(_ => "")]);
        foreach (double x in at) Label(X(x), _height - Bottom + 16, label(x), "middle", "tick");
        Label(_left + (Width - _left - _right) / 2, _height - 6, title, "middle", "title");
        return this;
    }

    public SvgChart YTicks(IReadOnlyList<double> at, Func<double, string> label)
    {
        _plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. at], [.. at.Select(_ => "")]);
        foreach (double y in at) Label(_left - 8, Y(y) + 4, label(y), "end", "tick");
        return this;
    }

    /// <summary>A dashed line through points of the plot, on top of what is drawn.</summary>
    /// <remarks>Written here, not drawn: Skia's SVG knows no dashes, and says so on the standard output each time.</remarks>
    public void Dashed(IReadOnlyList<double> x, IReadOnlyList<double> y, string ink, float width = 1.5f)
    {
        string points = string.Join(' ', x.Zip(y, (a, b) => FormattableString.Invariant($"{X(a):0.#},{Y(b):0.#}")));
        _labels.Append(Html.Of($"""<polyline points="{points}" class="stroke-{ink}" stroke-width="{width}" stroke-dasharray="5 4" fill="none"/>""").Markup);
    }

    /// <summary>A label beside a point of the plot.</summary>
    public void LabelAt(double x, double y, string text, string anchor, string kind, float dx = 0, float dy = 0) =>
        Label(X(x) + dx, Y(y) + dy, text, anchor, kind);

    /// <summary>A label against the vertical axis.</summary>
    public void LabelLeft(double y, string text) => Label(_left - 8, Y(y) + 4, text, "end", "tick");

    /// <param name="id">Distinct on the page.</param>
    /// <param name="title">What the chart shows, for those who do not see it.</param>
    public Html ToHtml(string id, string title)
    {
        XElement svg = XDocument.Parse(_plot.GetSvgXml(Width, _height)).Root!;
        XNamespace ns = svg.Name.Namespace;
        // Skia numbers its ids over the whole process: they are numbered anew, so that the same chart is the same text.
        Dictionary<string, string> ids = svg.Descendants().Attributes("id").Select((a, i) => (a.Value, New: $"{id}-{i}")).ToDictionary(a => a.Value, a => a.New);
        foreach (XElement e in svg.Descendants())
        {
            foreach (XAttribute a in e.Attributes())
            {
                if (a.Name == "id") a.Value = ids[a.Value];
                else if (a.Value.StartsWith("url(#", StringComparison.Ordinal)) a.Value = $"url(#{ids[a.Value[5..^1]]})";
            }
            string[] classes = [.. Class(e, "stroke"), .. Class(e, "fill")];
            if (classes.Length > 0) e.SetAttributeValue("class", string.Join(' ', classes));
        }
        svg.RemoveAttributes();
        svg.SetAttributeValue("viewBox", $"0 0 {Width} {_height}");
        svg.SetAttributeValue("class", "chart");
        svg.SetAttributeValue("role", "img");
        svg.SetAttributeValue("aria-labelledby", $"{id}-title");
        svg.AddFirst(new XElement(ns + "title", new XAttribute("id", $"{id}-title"), title));
        svg.Add(XElement.Parse($"<g xmlns=\"{ns}\">{_labels}</g>").Elements());
        return new Html(svg.ToString(SaveOptions.DisableFormatting).Replace($" xmlns=\"{ns}\"", "", StringComparison.Ordinal));
    }

    /// <summary>Three to seven round numbers (1, 2 or 5 times a power of ten apart) that lie within the limits.</summary>
    public static double[] RoundTicks(double min, double max)
    {
        double step = Math.Pow(10, Math.Floor(Math.Log10((max - min) / 3)));
        if ((max - min) / (5 * step) >= 3) step *= 5;
        else if ((max - min) / (2 * step) >= 3) step *= 2;
        var ticks = new List<double>();
        for (long k = (long)Math.Ceiling(min / step - 1e-9); k * step <= max + 1e-9 * step; k++) ticks.Add(k * step);
        return [.. ticks];
    }

    private static IEnumerable<string> Class(XElement e, string attribute)
    {
        string? value = e.Attribute(attribute)?.Value;
        foreach ((string hex, string name) in Inks)
        {
            if (!string.Equals(value, hex, StringComparison.OrdinalIgnoreCase)) continue;
            e.SetAttributeValue(attribute, null);
            yield return $"{attribute}-{name}";
        }
    }

    private void Label(double x, double y, string text, string anchor, string kind) => _labels.Append(
        Html.Of($"""<text x="{x:0.#}" y="{y:0.#}" text-anchor="{anchor}" class="{kind}">{text}</text>""").Markup);

    private double X(double x) => _left + (x - _xMin) / (_xMax - _xMin) * (Width - _left - _right);

    private double Y(double y) => _height - Bottom - (y - _yMin) / (_yMax - _yMin) * (_height - Bottom - Top);
}
