namespace Chorus.Dashboard;

/// <summary>Counts the pages that look. One that is reloaded is gone for a moment only, so the last one's going is told late.</summary>
/// <param name="most">More are refused.</param>
/// <param name="changed">Told the number whenever it changes.</param>
/// <param name="linger">How long the last page counts after it has gone.</param>
/// <param name="time">The clock.</param>
internal sealed class OpenPages(int most, Action<int> changed, TimeSpan linger, TimeProvider time)
{
    private readonly Lock _lock = new();
    private int _open;
    private int _told;
    private long _visits;

    public int Count
    {
        get
        {
            lock (_lock)
                return _open;
        }
    }

    /// <returns>False: there are too many.</returns>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_open >= most)
                return false;
            _open++;
            Tell(_open);
            return true;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            _open--;
            if (_open > 0)
                Tell(_open);
            else
                TellLater();
        }
    }

    /// <summary>Somebody is about to look: what is to be shown may be made ready.</summary>
    public void Visit()
    {
        lock (_lock)
        {
            if (_open > 0)
                return;
            Tell(1);
            TellLater();
        }
    }

    private void TellLater()
    {
        var visit = ++_visits;
        _ = Task.Delay(linger, time).ContinueWith(
            _ =>
            {
                lock (_lock)
                {
                    if (visit == _visits && _open == 0)
                        Tell(0);
                }
            },
            TaskScheduler.Default);
    }

    private void Tell(int pages)
    {
        if (pages == _told)
            return;
        _told = pages;
        changed(pages);
    }
}
