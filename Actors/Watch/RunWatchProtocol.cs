using Chorus.Actors.Clients;

namespace Chorus.Actors.Watch;

/// <summary>What the watcher of a run accepts, beside what coordinator and cluster publish.</summary>
public static class RunWatchProtocol
{
    /// <summary>So many look at the run now. With none, only what cannot be found out later is kept.</summary>
    public sealed record Watched(int Pages) : ClientProtocol.ILocal;

    internal sealed record HistoryRead(RunHistory History, RoundTexts? Texts) : ClientProtocol.ILocal;

    internal sealed record BudgetKnown(BudgetBought Budget) : ClientProtocol.ILocal;

    /// <summary>Something could not be read; the page shows what it knows.</summary>
    internal sealed record ReadFailed(string What, Exception Cause) : ClientProtocol.ILocal;
}
