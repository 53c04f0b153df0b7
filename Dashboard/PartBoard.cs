using System.Globalization;
using System.Text;

namespace Chorus.Dashboard;

/// <summary>A part of the page as it stands.</summary>
/// <param name="Id">Its place on the page.</param>
/// <param name="Version">Of the board when it last changed.</param>
internal sealed record Part(string Id, long Version, string Markup);

/// <summary>
/// The newest state of every part of the page. A page that is open remembers one number, the version that it has seen, and
/// asks for what is newer: so a slow page skips what it missed, holds nobody up, and costs no memory here.
/// </summary>
internal sealed class PartBoard
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Part> _parts = [];
    private readonly List<string> _order = [];
    private readonly string _name = Guid.NewGuid().ToString("n")[..8];
    private TaskCompletionSource _changed = New();
    private long _version;
    private bool _closed;
    private (long Since, long Version, bool Closed, byte[] Bytes) _news;

    /// <summary>Puts parts up; those that say what they said before change nothing.</summary>
    public void Post(IEnumerable<(string Id, string Markup)> parts)
    {
        TaskCompletionSource? changed = null;
        lock (_lock)
        {
            var next = _version + 1;
            foreach (var (id, markup) in parts)
            {
                if (_parts.TryGetValue(id, out var before) && before.Markup == markup)
                    continue;
                if (before is null)
                    _order.Add(id);
                (_parts[id], _version) = (new Part(id, next, markup), next);
            }

            if (_version == next)
                (changed, _changed) = (_changed, New());
        }

        changed?.SetResult();
    }

    /// <summary>Nothing more comes.</summary>
    public void Close()
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _closed = true;
            changed = _changed;
        }

        changed.TrySetResult();
    }

    /// <summary>What a page remembers of what it has seen; of another board it counts for nothing.</summary>
    public string SeenOf(long version) => string.Create(CultureInfo.InvariantCulture, $"{_name}-{version}");

    /// <returns>The version that <see cref="SeenOf"/> was made from; 0 where it was not made here.</returns>
    public long VersionOf(string? seen) =>
        seen is not null && seen.StartsWith($"{_name}-", StringComparison.Ordinal)
        && long.TryParse(seen.AsSpan(_name.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0;

    /// <summary>What is newer than a version, in the order of the page.</summary>
    /// <param name="version">What was seen; 0: nothing yet.</param>
    /// <returns>The parts, the version that they bring one up to, whether nothing more comes, and what ends when something does.</returns>
    public (IReadOnlyList<Part> Parts, long Version, bool Closed, Task Changed) Since(long version)
    {
        lock (_lock)
            return ([.. _order.Select(id => _parts[id]).Where(p => p.Version > version)], _version, _closed, _changed.Task);
    }

    /// <summary>The same as a piece of an event stream: made once for all pages that have seen the same.</summary>
    /// <returns>The piece, which ends with the version as its id, or, where nothing more comes, with the event <c>over</c>.</returns>
    public (ReadOnlyMemory<byte> News, long Version, bool Closed, Task Changed) NewsSince(long version)
    {
        lock (_lock)
        {
            if ((_news.Since, _news.Version, _news.Closed) != (version, _version, _closed) || _news.Bytes is null)
                _news = (version, _version, _closed, Encoding.UTF8.GetBytes(Written(version)));
            return (_news.Bytes, _version, _closed, _changed.Task);
        }
    }

    private string Written(long version)
    {
        var stream = new StringBuilder();
        foreach (var part in _order.Select(id => _parts[id]).Where(p => p.Version > version))
        {
            stream.Append("event: ").Append(part.Id).Append('\n');
            foreach (var line in part.Markup.AsSpan().EnumerateLines())
                stream.Append("data: ").Append(line).Append('\n');
            stream.Append('\n');
        }

        return (_closed ? stream.Append("event: over\ndata: \n\n") : stream.Append("event: beat\ndata: \nid: ").Append(SeenOf(_version)).Append("\n\n")).ToString();
    }

    // Whoever posts must not run the pages' continuations.
    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
