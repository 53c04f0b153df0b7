using System.Globalization;

namespace Chorus.Simulation.Report;

/// <summary>How a node is drawn.</summary>
internal enum NodeLook
{
    Well,
    Changing,
    Unreachable,
    Gone,
}

/// <summary>A node of the cluster, as it is drawn.</summary>
/// <param name="Name">host:port.</param>
/// <param name="Role">What it does, in a word or two.</param>
/// <param name="Note">What it carries.</param>
/// <param name="Load">Share of its processors that is busy; null where it is not known.</param>
/// <param name="Flow">Its share of all that the nodes do now, in [0, 1].</param>
internal sealed record DrawnNode(string Name, string Role, string Note, double? Load, double Flow, NodeLook Look);

/// <summary>A cluster as a picture: the node that drives the run above, those that carry clients below, joined by lines.</summary>
internal static class ClusterPicture
{
    public const int Width = 460;

    private const int BoxHeight = 62;
    private const int DriverWidth = 220;

    /// <summary>So many nodes are drawn as boxes with words; more as tiles, whose words are in the table beside the picture.</summary>
    private const int MostBoxes = 12;

    /// <param name="id">Distinct on the page.</param>
    /// <param name="title">What it shows, for those who do not see it.</param>
    /// <param name="driver">The node with the coordinator; null while there is none.</param>
    /// <param name="others">All other nodes.</param>
    public static Html Draw(string id, string title, DrawnNode? driver, IReadOnlyList<DrawnNode> others)
    {
        bool boxes = others.Count <= MostBoxes;
        int columns = boxes ? Math.Clamp(others.Count, 1, 3) : 12;
        int gap = boxes ? 14 : 6, height = boxes ? BoxHeight : 24;
        double width = boxes ? Math.Min(DriverWidth, (Width - 2.0 - gap * (columns - 1)) / columns) : (Width - 2.0 - gap * (columns - 1)) / columns;
        int first = BoxHeight + 2 + 48;
        var lines = new List<Html>();
        var nodes = new List<Html>();
        for (int i = 0; i < others.Count; i++)
        {
            int row = i / columns, inRow = Math.Min(columns, others.Count - row * columns);
            double left = (Width - inRow * width - (inRow - 1) * gap) / 2 + i % columns * (width + gap), top = first + row * (height + gap + (boxes ? 10 : 0));
            DrawnNode node = others[i];
            if (boxes || row == 0)
                lines.Add(Link(left + width / 2, top, node));
            nodes.Add(boxes ? Box(node, left, top, width) : Tile(node, left, top, width, height));
        }

        int rows = (others.Count + columns - 1) / columns;
        int bottom = rows == 0 ? BoxHeight + 4 : first + rows * (height + gap + (boxes ? 10 : 0));
        if (driver is not null)
            nodes.Add(Box(driver, (Width - DriverWidth) / 2.0, 1, DriverWidth));
        return Html.Of($"""<svg class="chart cluster" viewBox="0 0 {Width} {bottom}" role="img" aria-labelledby="{id}-title"><title id="{id}-title">{title}</title>{Html.Join(lines, "")}{Html.Join(nodes, "")}</svg>""");
    }

    private static Html Link(double x, double top, DrawnNode node) => Html.Of(
        $"""<path class="link {Class(node.Look)}" d="M{N(Width / 2.0)} {BoxHeight + 1}C{N(Width / 2.0)} {BoxHeight + 38} {N(x)} {N(top - 38)} {N(x)} {N(top)}" stroke-width="{N(1.2 + 3.8 * Math.Clamp(node.Flow, 0, 1))}"/>""");

    private static Html Box(DrawnNode node, double x, double y, double width) => Html.Of($"""
        <g class="node {Class(node.Look)}"><title>{node.Name}: {node.Role}, {node.Note}</title><rect class="box" x="{N(x)}" y="{N(y)}" width="{N(width)}" height="{BoxHeight}" rx="9"/><text class="value" x="{N(x + 10)}" y="{N(y + 18)}">{Short(node.Name, width)}</text><text class="tick" x="{N(x + 10)}" y="{N(y + 33)}">{node.Role}</text><text class="tick" x="{N(x + 10)}" y="{N(y + 47)}">{node.Note}</text>{Load(node, x + 10, y + BoxHeight - 9, width - 20)}</g>
        """);

    private static Html Tile(DrawnNode node, double x, double y, double width, double height) => Html.Of(
        $"""<g class="node {Class(node.Look)}"><title>{node.Name}: {node.Role}, {node.Note}</title><rect class="box" x="{N(x)}" y="{N(y)}" width="{N(width)}" height="{N(height)}" rx="4"/>{Load(node, x + 4, y + height - 8, width - 8)}</g>""");

    private static Html Load(DrawnNode node, double x, double y, double width) => node.Load is not { } load || node.Look is NodeLook.Gone ? Html.Empty : Html.Of(
        $"""<rect class="load-rest" x="{N(x)}" y="{N(y)}" width="{N(width)}" height="4" rx="2"/><rect class="load" x="{N(x)}" y="{N(y)}" width="{N(width * Math.Clamp(load, 0, 1))}" height="4" rx="2"/>""");

    private static string Class(NodeLook look) => look switch
    {
        NodeLook.Well => "well",
        NodeLook.Changing => "changing",
        NodeLook.Unreachable => "unreachable",
        _ => "gone",
    };

    /// <summary>The end of a name is what tells nodes apart.</summary>
    private static string Short(string name, double width) => (int)(width / 7.4) is var most && name.Length > most ? "…" + name[^(most - 1)..] : name;

    private static string N(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
