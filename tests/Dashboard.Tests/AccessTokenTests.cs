using Chorus.Actors.Tests.Support;

namespace Chorus.Dashboard.Tests;

public sealed class AccessTokenTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_no_file_When_asked_for_Then_a_token_is_made_that_only_its_owner_reads_and_the_next_finds_it()
    {
        var file = _folder.In("page.token");
        var token = AccessToken.OfFile(file);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(token.Value, AccessToken.OfFile(file).Value);
        Assert.NotEqual(token.Value, AccessToken.Fresh().Value);
        Assert.Equal(32, token.Value.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("not base64url but as long !!!!!!")]
    public void Given_a_damaged_file_When_asked_for_Then_a_new_token_takes_its_place(string content)
    {
        var file = _folder.In("page.token");
        File.WriteAllText(file, content);
        var token = AccessToken.OfFile(file);
        Assert.NotEqual(content, token.Value);
        Assert.Equal(token.Value, File.ReadAllText(file));
    }

    [Fact]
    public void Given_a_token_When_written_by_mistake_Then_it_is_not_told() => Assert.DoesNotContain(AccessToken.Fresh() is var t ? t.Value : "", $"{t}", StringComparison.Ordinal);
}
