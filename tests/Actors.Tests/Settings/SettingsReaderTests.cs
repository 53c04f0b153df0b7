using Akka.Configuration;
using Chorus.Actors.Settings;
using CsCheck;

namespace Chorus.Actors.Tests.Settings;

public sealed class SettingsReaderTests
{
    private static readonly Gen<string> AnyText = Gen.String[Gen.OneOf(Gen.Char[' ', '~'], Gen.Char["é漢\"\\${#/\t\n="]), 0, 12];

    [Fact]
    public void Given_any_text_that_was_read_When_written_as_HOCON_and_read_Then_it_is_the_same_text() => AnyText.Sample(text =>
    {
        var written = new SettingsReader(Reference("chorus.key = default"), ("set", Quoted(text)));
        var read = new SettingsReader(Reference("chorus.key = default"), ("run.conf", ConfigurationFactory.ParseString(written.ToHocon())));
        Assert.Equal(written.Text("key"), read.Text("key"));
        // Akka's HOCON reader loses white space at the ends of a text, quoted or not.
        Assert.Equal(text.Trim(), read.Text("key").Trim());
    });

    [Fact]
    public void Given_plain_words_that_HOCON_gives_a_meaning_When_written_and_read_Then_they_stay_words()
    {
        foreach (var word in new[] { "true", "off", "include", "1e3", "0x10", "-", "a.b", "10s", "1_000", "" })
        {
            var written = new SettingsReader(Reference($"chorus.key = \"{word}\""));
            Assert.Equal(word, written.Text("key"));
            Assert.Equal(word, new SettingsReader(Reference("chorus.key = x"), ("run.conf", ConfigurationFactory.ParseString(written.ToHocon()))).Text("key"));
        }
    }

    [Fact]
    public void Given_an_unknown_key_When_read_Then_the_message_names_it_its_file_and_the_nearest_known_key()
    {
        var e = Assert.Throws<SettingsException>(() => new SettingsReader(
            Reference("chorus { clients.block-size = 1, clients.limit = 0, rounds = 1 }"),
            ("mine.conf", ConfigurationFactory.ParseString("chorus.clients.blok-size = 5"))));
        Assert.Equal("mine.conf: unknown key chorus.clients.blok-size; the nearest known key is chorus.clients.block-size", e.Message);
    }

    [Theory]
    [InlineData("rounds = 5", "mine.conf: unknown key rounds; a run file has one root, chorus { ... }")]
    [InlineData("chorus.rounds = [1, 2]", "mine.conf: chorus.rounds is a list; no setting is one")]
    [InlineData("chorus = 5", "mine.conf: chorus must be an object { ... }")]
    public void Given_a_document_of_another_shape_When_read_Then_the_message_says_what_is_wrong(string hocon, string message)
    {
        var e = Assert.Throws<SettingsException>(() => new SettingsReader(Reference("chorus.rounds = 1"), ("mine.conf", ConfigurationFactory.ParseString(hocon))));
        Assert.Equal(message, e.Message);
    }

    [Fact]
    public void Given_several_documents_When_read_Then_the_later_ones_win()
    {
        var read = new SettingsReader(
            Reference("chorus { a = 1, b = 1, c = 1 }"),
            ("first", ConfigurationFactory.ParseString("chorus { b = 2, c = 2 }")),
            ("second", ConfigurationFactory.ParseString("chorus.c = 3")));
        Assert.Equal("123", string.Concat(read.Values.Values));
    }

    [Fact]
    public void Given_any_two_words_When_their_distance_is_measured_Then_it_is_that_of_the_definition() =>
        Gen.Select(Gen.String[Gen.Char['a', 'c'], 0, 7], Gen.String[Gen.Char['a', 'c'], 0, 7])
            .Sample((a, b) => SettingsReader.EditDistance(a, b) == Defined(a, b));

    /// <summary>Levenshtein's recursion as it is written down.</summary>
    private static int Defined(string a, string b)
    {
        if (a.Length == 0 || b.Length == 0)
            return a.Length + b.Length;
        var change = Defined(a[1..], b[1..]) + (a[0] == b[0] ? 0 : 1);
        return a[0] == b[0] ? change : Math.Min(change, 1 + Math.Min(Defined(a[1..], b), Defined(a, b[1..])));
    }

    private static Config Reference(string hocon) => ConfigurationFactory.ParseString(hocon);

    /// <summary>As JSON, which HOCON contains.</summary>
    private static Config Quoted(string text) => ConfigurationFactory.ParseString($"chorus.key = {System.Text.Json.JsonSerializer.Serialize(text)}");
}
