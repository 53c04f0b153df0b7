using Akka.Configuration;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Settings;

public sealed class JournalSettingsTests
{
    [Theory]
    [InlineData("Host=db;Password=hunter2")]
    [InlineData("Host=db;Pwd=hunter2")]
    [InlineData("Host=db;SSL Password=hunter2")]
    [InlineData("Host=db;hunter2")]
    [InlineData("Host=db;Port=hunter2")]
    public void Given_a_connection_that_holds_a_secret_or_is_none_When_read_Then_it_is_refused_and_not_repeated(string connection)
    {
        var e = Assert.Throws<SettingsException>(() => Read("postgresql", connection));
        Assert.Contains("chorus.journal.connection", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_no_host_or_a_connection_for_SQLite_When_read_Then_the_message_says_what_belongs_there()
    {
        Assert.Contains("with a host", Assert.Throws<SettingsException>(() => Read("postgresql", "Database=chorus")).Message, StringComparison.Ordinal);
        Assert.Contains("empty unless journal.kind is postgresql", Assert.Throws<SettingsException>(() => Read("sqlite", "Host=db")).Message, StringComparison.Ordinal);
        Assert.Equal(JournalKind.PostgreSql, Read("postgresql", "Host=db;Database=chorus;Username=chorus").Kind);
    }

    [Fact]
    public void Given_a_password_file_that_others_can_read_When_read_Then_it_is_refused()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var folder = new TemporaryFolder();
        var file = folder.In("pgpass");
        File.WriteAllText(file, "*:*:*:*:hunter2");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Contains("chmod 600", Assert.Throws<SettingsException>(() => Read("postgresql", $"Host=db;Passfile={file}")).Message, StringComparison.Ordinal);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Equal(JournalKind.PostgreSql, Read("postgresql", $"Host=db;Passfile={file}").Kind);
    }

    private static JournalSettings Read(string kind, string connection) =>
        RunSettings.From(("test", ConfigurationFactory.ParseString($"chorus.journal {{ kind = {kind}, connection = \"{connection}\" }}"))).Journal;
}
