using Chorus.Gpu.Checkpoints;

namespace Chorus.Gpu.Tests.Checkpoints;

public sealed class ContentCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_an_entry_When_asked_for_again_Then_it_is_not_made_again()
    {
        var cache = new ContentCache(_folder["cache"]);
        var made = 0;
        for (var i = 0; i < 2; i++)
        {
            var entry = cache.GetOrCreate("key-1", f => File.WriteAllText(Path.Combine(f, "x"), $"{++made}"));
            Assert.Equal("1", File.ReadAllText(Path.Combine(entry, "x")));
        }
        Assert.Equal(1, made);
    }

    [Fact]
    public void Given_a_maker_that_fails_When_asked_for_Then_nothing_is_kept()
    {
        var cache = new ContentCache(_folder["cache"]);
        Assert.Throws<InvalidDataException>(() => cache.GetOrCreate("k", f => { File.WriteAllText(Path.Combine(f, "x"), ""); throw new InvalidDataException(); }));
        Assert.Empty(Directory.GetFileSystemEntries(cache.Folder));
    }

    [Fact]
    public void Given_many_at_once_When_asked_for_Then_all_get_one_whole_entry()
    {
        var cache = new ContentCache(_folder["cache"]);
        using var together = new Barrier(4);
        var threads = Enumerable.Range(0, 4).Select(i => new Thread(() =>
        {
            together.SignalAndWait();
            var entry = cache.GetOrCreate("k", f => { File.WriteAllText(Path.Combine(f, "x"), "same"); Thread.Sleep(20); });
            Assert.Equal("same", File.ReadAllText(Path.Combine(entry, "x")));
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.Single(Directory.GetFileSystemEntries(cache.Folder));
    }

    [Theory]
    [InlineData("")]
    [InlineData("../x")]
    [InlineData(".x")]
    [InlineData("A")]
    public void Given_a_key_that_is_no_plain_name_When_asked_for_Then_it_is_refused(string key) =>
        Assert.Throws<ArgumentException>(() => new ContentCache(_folder.Path).GetOrCreate(key, _ => { }));

    [Theory]
    [InlineData("/own", "/xdg", "/own")]
    [InlineData("", "/xdg", "/xdg/chorus")]
    [InlineData("", "relative", "/home/u/.cache/chorus")]
    [InlineData("", "", "/home/u/.cache/chorus")]
    public void Given_an_environment_When_the_users_cache_is_asked_for_Then_it_is_there(string own, string xdg, string folder) =>
        Assert.Equal(folder, ContentCache.OfUser(name => name switch { "CHORUS_CACHE" => own, "XDG_CACHE_HOME" => xdg, _ => null }, "/home/u").Folder);

    [Fact]
    public void Given_parts_that_join_alike_When_keys_are_made_Then_they_differ()
    {
        Assert.NotEqual(ContentCache.KeyOf("ab", "c"), ContentCache.KeyOf("a", "bc"));
        // printf '2:ab1:c' | sha256sum
        Assert.Equal("430fb1b4ac43316eca81fab27a1930ab", ContentCache.KeyOf("ab", "c")[..32]);
    }
}
