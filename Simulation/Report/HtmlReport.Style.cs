namespace Chorus.Simulation.Report;

public static partial class HtmlReport
{
    /// <summary>The page's whole style sheet: system fonts, light and dark by the reader's choice, one column on a phone.</summary>
    internal const string StyleSheet = """
        :root { color-scheme: light dark;
          --page: #f6f7f9; --card: #ffffff; --ink: #18212b; --soft: #5a6775; --rule: #dde2e8; --grid: #e8ecf0;
          --series: #1f6feb; --series-2: #c2410c; --series-3: #0f766e; --series-4: #7c3aed; --series-5: #be185d; --series-6: #8a5a00; --series-7: #4d5b6b; --quiet: #9aa7b5; --limit: #c2410c; --good: #166534; --mark: #eaf2ff; --alarm: #b42318; --alarm-page: #fef1ef; }
        @media (prefers-color-scheme: dark) { :root {
          --page: #10151b; --card: #181f27; --ink: #e6ebf0; --soft: #9ba8b6; --rule: #2b3541; --grid: #252e38;
          --series: #6ea8fe; --series-2: #fb923c; --series-3: #5eead4; --series-4: #c4b5fd; --series-5: #f9a8d4; --series-6: #facc15; --series-7: #aab6c3; --quiet: #5d6b7a; --limit: #fb923c; --good: #86efac; --mark: #1c2a3d; --alarm: #ff8a7a; --alarm-page: #35191a; } }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; }
        body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 1100px; margin: 0 auto; padding: 40px 20px 64px; }
        h1 { font-size: clamp(1.5rem, 4.2vw, 2.1rem); line-height: 1.2; letter-spacing: -0.015em; margin: 4px 0 12px; text-wrap: balance; }
        h2 { font-size: 1.15rem; margin: 40px 0 12px; letter-spacing: -0.005em; }
        h3 { font-size: 0.95rem; margin: 0 0 4px; }
        p { margin: 0 0 12px; max-width: 72ch; }
        .kicker { color: var(--soft); font-size: 0.86rem; margin: 0; overflow-wrap: anywhere; max-width: none; }
        .lead { font-size: 1.08rem; color: var(--soft); }
        .banner { border: 2px solid var(--alarm); border-left-width: 10px; background: var(--alarm-page); border-radius: 8px; padding: 14px 18px; margin: 0 0 18px; }
        .banner strong { color: var(--alarm); font-size: 1.15rem; display: block; }
        .banner p { margin: 2px 0 0; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 22px 0 0; }
        .tile, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
        .tile { padding: 12px 16px; }
        .tile b { display: block; font-size: 1.25rem; line-height: 1.4; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
        .tile span { color: var(--soft); font-size: 0.86rem; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 14px; }
        .card { padding: 16px 18px; min-width: 0; }
        .card p { color: var(--soft); font-size: 0.9rem; margin: 0 0 8px; }
        .tag { background: var(--alarm-page); color: var(--alarm); border-radius: 4px; padding: 1px 7px; font-size: 0.78rem; font-weight: 600; white-space: nowrap; }
        .chart { display: block; width: 100%; height: auto; }
        .chart text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
        .chart text.value { fill: var(--ink); font-weight: 650; }
        .chart text.mark { fill: var(--series); font-weight: 600; }
        .chart text.limit { fill: var(--limit); font-weight: 600; }
        .stroke-axis { stroke: var(--quiet); } .stroke-grid { stroke: var(--grid); } .stroke-series { stroke: var(--series); }
        .stroke-quiet { stroke: var(--quiet); } .stroke-limit { stroke: var(--limit); }
        .fill-axis { fill: var(--quiet); } .fill-grid { fill: var(--grid); } .fill-series { fill: var(--series); }
        .fill-quiet { fill: var(--quiet); } .fill-limit { fill: var(--limit); }
        .stroke-series-2 { stroke: var(--series-2); } .stroke-series-3 { stroke: var(--series-3); } .stroke-series-4 { stroke: var(--series-4); }
        .stroke-series-5 { stroke: var(--series-5); } .stroke-series-6 { stroke: var(--series-6); } .stroke-series-7 { stroke: var(--series-7); }
        .fill-series-2, .chart text.series-2 { fill: var(--series-2); } .fill-series-3, .chart text.series-3 { fill: var(--series-3); }
        .fill-series-4, .chart text.series-4 { fill: var(--series-4); } .fill-series-5, .chart text.series-5 { fill: var(--series-5); }
        .fill-series-6, .chart text.series-6 { fill: var(--series-6); } .fill-series-7, .chart text.series-7 { fill: var(--series-7); }
        .chart text.series { fill: var(--series); } .chart text[class^="series"] { font-weight: 600; }
        .charts > .card:first-child:nth-last-child(odd) { grid-column: 1 / -1; }
        .charts > .card:first-child:nth-last-child(odd) .chart { max-width: 620px; margin: 0 auto; }
        .nothing { color: var(--soft); font-style: italic; }
        .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
        table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
        th, td { padding: 8px; text-align: right; border-bottom: 1px solid var(--rule); }
        th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
        td { white-space: nowrap; }
        th:first-child, td:first-child { text-align: left; padding-left: 14px; }
        th:last-child, td:last-child { padding-right: 14px; }
        tbody tr:last-child td { border-bottom: 0; }
        td.hash { font: 0.78rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; text-align: left; }
        .samples { display: grid; grid-template-columns: 1fr 1fr; gap: 10px 14px; }
        .samples h3 { color: var(--soft); }
        .samples blockquote { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; font-size: 0.94rem; overflow-wrap: anywhere; min-width: 0; }
        .samples blockquote.after { background: var(--mark); }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; }
        dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
        pre { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 16px; overflow-x: auto; font: 0.86rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 0 0 12px; }
        details { margin: 12px 0; } summary { cursor: pointer; color: var(--soft); } details > :not(summary) { margin-top: 10px; }
        footer { margin-top: 48px; padding-top: 14px; border-top: 1px solid var(--rule); color: var(--soft); font-size: 0.86rem; }
        @media (max-width: 640px) { main { padding: 22px 14px 40px; } .samples { grid-template-columns: 1fr; } .samples .heads { display: none; }
          .samples blockquote::before { content: attr(data-when); display: block; color: var(--soft); font-size: 0.78rem; }
          .samples blockquote.after { margin-bottom: 10px; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; } }
        @media print { body { background: none; } .card, .tile, blockquote { break-inside: avoid; } }
        """;
}
