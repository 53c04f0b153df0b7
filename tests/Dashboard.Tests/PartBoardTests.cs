using System.Net.ServerSentEvents;

namespace Chorus.Dashboard.Tests;

public sealed class PartBoardTests
{
    [Fact]
    public void Given_parts_When_posted_again_unchanged_Then_nothing_is_new()
    {
        var board = new PartBoard();
        board.Post([("a", "1"), ("b", "1")]);
        var (parts, version, _, changed) = board.Since(0);
        Assert.Equal(["a", "b"], parts.Select(p => p.Id));
        board.Post([("b", "1")]);
        Assert.Empty(board.Since(version).Parts);
        Assert.False(changed.IsCompleted);
    }

    [Fact]
    public void Given_a_page_that_saw_an_old_state_When_it_asks_Then_it_gets_the_newest_of_what_changed_once()
    {
        var board = new PartBoard();
        board.Post([("a", "1"), ("b", "1")]);
        var (_, seen, _, changed) = board.Since(0);
        board.Post([("a", "2")]);
        board.Post([("a", "3"), ("c", "1")]);
        Assert.True(changed.IsCompleted);
        Assert.Equal([("a", "3"), ("c", "1")], board.Since(seen).Parts.Select(p => (p.Id, p.Markup)));
        Assert.Empty(board.Since(board.Since(0).Version).Parts);
        Assert.Equal(7, board.VersionOf(board.SeenOf(7)));
        Assert.All(new[] { null, "", "7", new PartBoard().SeenOf(7), board.SeenOf(7) + "x" }, other => Assert.Equal(0, board.VersionOf(other)));
    }

    [Fact]
    public void Given_a_board_that_is_closed_When_asked_Then_it_says_so_and_wakes_who_waits()
    {
        var board = new PartBoard();
        var changed = board.Since(0).Changed;
        board.Close();
        Assert.True(changed.IsCompleted);
        Assert.True(board.Since(0).Closed);
    }

    [Fact]
    public void Given_pages_that_saw_the_same_When_something_is_new_Then_one_piece_tells_all_of_them()
    {
        var board = new PartBoard();
        board.Post([("a", "one\ntwo\r\nthree\rfour"), ("b", "")]);
        var (news, version, closed, _) = board.NewsSince(0);
        SseItem<string>[] read = [.. SseParser.Create(new MemoryStream(news.ToArray())).Enumerate()];
        Assert.False(closed);
        Assert.Equal([("a", "one\ntwo\nthree\nfour"), ("b", ""), ("beat", "")], read.Select(e => (e.EventType, e.Data)));
        Assert.Equal(version, board.VersionOf(read[^1].EventId));
        Assert.True(news.Equals(board.NewsSince(0).News)); // the same memory, not a copy

        board.Post([("b", "2")]);
        Assert.Equal(["b", "beat"], Types(board.NewsSince(version).News));
        Assert.Equal(["a", "b", "beat"], Types(board.NewsSince(0).News));
        board.Close();
        Assert.Equal(["b", "over"], Types(board.NewsSince(version).News));

        static IEnumerable<string> Types(ReadOnlyMemory<byte> news) => SseParser.Create(new MemoryStream(news.ToArray())).Enumerate().Select(e => e.EventType);
    }

    [Fact]
    public async Task Given_many_who_post_and_many_who_read_When_all_is_done_Then_everybody_comes_to_the_last_state()
    {
        var board = new PartBoard();
        var readers = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            var mine = new Dictionary<string, string>();
            for (long seen = 0; ;)
            {
                var (parts, version, closed, changed) = board.Since(seen);
                foreach (var part in parts)
                    mine[part.Id] = part.Markup;
                if (closed)
                    return mine;
                seen = version;
                await changed;
            }
        })).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(() =>
        {
            for (var i = 0; i <= 2000; i++)
                board.Post([($"part-{w}", $"{i}")]);
        })));
        board.Close();
        foreach (var mine in await Task.WhenAll(readers).WaitAsync(TimeSpan.FromSeconds(30)))
            Assert.All(Enumerable.Range(0, 4), w => Assert.Equal("2000", mine[$"part-{w}"]));
    }
}
