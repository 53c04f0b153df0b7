using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>The page that the parts stand on: headings, places, controls. It changes never, the parts do.</summary>
internal static class PageShell
{
    /// <summary>The report's style sheet: page and report look alike, and their pictures are the same.</summary>
    public static string StyleSheet => HtmlReport.StyleSheet;

    /// <param name="part">The markup of a part; empty where it is not known yet.</param>
    /// <param name="live">Whether the run goes on in the process that serves the page: else its nodes and devices are not known.</param>
    /// <param name="seen">What the page then has seen; its script says so when it asks for what is newer.</param>
    public static string Render(Func<string, string> part, bool live, string seen)
    {
        // The picture or the table in a card keeps its place while what is in it changes.
        Html Place(string id) => Html.Of($"""<div data-part="{id}">{new Html(part(id))}</div>""");
        Html Card(string id, string title, string note, string kind = "") => Html.Of($"""<div class="card {kind}"><h3>{title}</h3><p>{note}</p>{Place(id)}</div>""");
        Html Scroll(string id, string label) => Html.Of($"""<div class="scroll" role="region" aria-label="{label}" tabindex="0">{Place(id)}</div>""");

        return Html.Of($"""
            <!doctype html>
            <html lang="en" data-link="waiting" data-live="{(live ? "yes" : "no")}" data-seen="{seen}" data-state="{part("state")}">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>Chorus</title>
            <link rel="icon" href="/icon.svg" type="image/svg+xml">
            <link rel="stylesheet" href="/page.css">
            <script src="/page.js" defer></script>
            </head>
            <body>
            <a class="skip" href="#main">Skip to the run</a>
            <header class="top">
            <div class="bar">
            <span class="brand" aria-hidden="true"><svg viewBox="0 0 32 32" class="mark"><path d="M8 13v6M13 9v14M18 12v8M23 7v18"/></svg>Chorus</span>
            <div class="who" data-part="head">{new Html(part("head"))}</div>
            <p class="link" role="status" id="link"><span class="dot" aria-hidden="true"></span><span id="link-word">connecting</span></p>
            <div class="controls" id="controls" hidden>
            <button type="button" id="hold">Pause after this round</button>
            <button type="button" id="stop" class="danger">Stop</button>
            </div>
            </div>
            <nav aria-label="Parts of the page"><a href="#now">Now</a><a href="#time">Time</a><a href="#quality">Quality and privacy</a><a href="#cluster">Cluster</a><a href="#texts">Texts</a><a href="#rounds">Rounds</a><a href="#log">Log</a></nav>
            </header>
            <p class="unseen" role="status" data-part="say">{new Html(part("say"))}</p>
            <main id="main">
            <noscript><p class="note">This page shows the run as it was when it was opened: without its script it does not go on.</p></noscript>
            <form id="ask-token" hidden>
            <h1>This page is read with its token</h1>
            <p>It is behind the # of the address that <code>chorus simulate</code> printed, and in <code>page.token</code> in the run's folder.</p>
            <label for="token">Token</label> <input id="token" autocomplete="off" spellcheck="false" required> <button>Open</button>
            <p id="token-wrong" role="alert"></p>
            </form>
            <div id="run">
            {Place("banner")}
            <section id="now" aria-label="Now">{Place("now")}</section>
            <section aria-label="Key figures">{Place("tiles")}</section>
            <section id="time" aria-labelledby="time-heading"><h2 id="time-heading">Time</h2><div class="card">{Place("timeline")}</div></section>
            <section id="quality" aria-labelledby="quality-heading"><h2 id="quality-heading">Quality and privacy</h2>
            <div class="charts three">
            {Card("accuracy", "Accuracy between floor and ceiling", "A small model trained on public texts alone, by the run's method, and with the private texts themselves.")}
            {Card("distance", "Distance to the clients' texts", "Fréchet distance between candidates and held-out texts; lower is nearer.")}
            {Card("epsilon", "Privacy spent", "Epsilon after each round against the budget.")}
            </div>
            {Place("kept")}
            </section>
            <section id="cluster" aria-labelledby="cluster-heading"><h2 id="cluster-heading">Cluster and devices</h2>
            <div class="charts two">
            <div class="card live-only"><h3>Nodes</h3><p>Bars are processor load, lines are as wide as a node's share of the votes.</p>{Place("cluster")}<details><summary>As a table</summary>{Scroll("nodes", "Nodes as a table")}</details></div>
            <div class="stack">
            <div class="card"><h3>Votes a second</h3><div class="live-only"><p>Of all clients, over the last two minutes.</p>{Place("votes")}</div><p>By round.</p>{Place("votes-by-round")}</div>
            {Card("devices", "Devices", "Tokens a second, memory, and where a step's time goes.", "live-only")}
            </div>
            </div></section>
            <section id="texts" aria-labelledby="texts-heading"><h2 id="texts-heading">What the model writes</h2>{Place("texts")}</section>
            <section id="rounds" aria-labelledby="rounds-heading"><h2 id="rounds-heading">Rounds</h2>{Scroll("rounds", "Figures of each round")}</section>
            <section id="log" aria-labelledby="log-heading"><h2 id="log-heading">Log</h2><div class="card log" role="region" aria-label="Notable events, the newest first" tabindex="0">{Place("log")}</div></section>
            </div>
            <footer data-part="foot">{new Html(part("foot"))}</footer>
            </main>
            <dialog id="confirm" aria-labelledby="confirm-title"><form method="dialog"><h2 id="confirm-title">Stop the run?</h2><p>It ends now. Nothing is lost: <code>chorus simulate --resume</code> goes on from its last step.</p><menu><button value="no">Go on</button><button value="yes" class="danger">Stop it</button></menu></form></dialog>
            </body>
            </html>

            """).Markup;
    }
}
