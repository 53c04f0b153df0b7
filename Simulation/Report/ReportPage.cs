namespace Chorus.Simulation.Report;

/// <summary>What every report is in: one file that a browser shows offline, and that may load and run nothing.</summary>
internal static class ReportPage
{
    /// <param name="title">Of the browser's tab.</param>
    /// <param name="content">What the page shows.</param>
    /// <returns>A complete HTML document.</returns>
    public static string Of(string title, Html content) => Html.Of($"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>{title}</title>
        <style>
        {new Html(HtmlReport.StyleSheet)}
        </style>
        </head>
        <body>
        <main>
        {content}
        </main>
        </body>
        </html>

        """).Markup;
}
