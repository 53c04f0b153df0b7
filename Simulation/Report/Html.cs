using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace Chorus.Simulation.Report;

/// <summary>Markup that is safe to put into a page as it stands.</summary>
/// <remarks>
/// Made by <see cref="Of"/> from an interpolated string: what the code wrote is markup, what it put in between is text and
/// is escaped, unless it is <see cref="Html"/> itself. So escaping cannot be forgotten.
/// </remarks>
internal readonly record struct Html(string Markup)
{
    public static readonly Html Empty = new("");

    public static Html Of(Builder markup) => new(markup.ToString());

    public static Html Join(IEnumerable<Html> parts, string between = "\n") => new(string.Join(between, parts.Select(p => p.Markup)));

    public override string ToString() => Markup;

    [InterpolatedStringHandler]
    internal readonly struct Builder(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _text = new(literalLength + 16 * formattedCount);

        public void AppendLiteral(string literal) => _text.Append(literal);

        public void AppendFormatted(Html html) => _text.Append(html.Markup);

        public void AppendFormatted(string? text) => _text.Append(WebUtility.HtmlEncode(text));

        public void AppendFormatted<T>(T value, string? format = null) where T : IFormattable =>
            _text.Append(WebUtility.HtmlEncode(value.ToString(format, CultureInfo.InvariantCulture)));

        public override string ToString() => _text.ToString();
    }
}
