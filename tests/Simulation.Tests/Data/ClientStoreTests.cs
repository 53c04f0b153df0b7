using System.Text.Json;
using Chorus.Simulation.Data;
using CsCheck;

namespace Chorus.Simulation.Tests.Data;

public sealed class ClientStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string StoreFolder => Path.Combine(_folder.Path, "store");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_any_clients_When_stored_Then_ids_counts_and_texts_are_those_of_the_json()
    {
        int files = 0;
        Gen<string> text = Gen.OneOf(Gen.String, Gen.Char.Array[0, 300].Select(c => new string(c)), Gen.Const("\0 \"é\" \U0001F600\n"))
            .Where(s => JsonSerializer.Deserialize<string>(JsonSerializer.Serialize(s)) == s); // no half surrogates
        Gen.Select(text.Array[0, 5].Array[1, 12], Gen.Int[0, 1000]).Sample(
            (clients, salt) =>
            {
                string json = _folder.Write($"{Interlocked.Increment(ref files)}.json", JsonSerializer.Serialize(clients.Select((texts, i) => ($"{salt} {i} ü", texts)).ToDictionary()));
                using ClientFile expected = ClientFile.Open(json);
                using ClientStore store = ClientStore.Open(json, StoreFolder);
                Assert.Equal((expected.Count, expected.TextCount, expected.Sha256), (store.Count, store.TextCount, store.Sha256));
                long first = 0;
                for (int client = 0; client < clients.Length; client++)
                {
                    Assert.Equal(expected.IdOf(client), store.IdOf(client));
                    Assert.Equal(expected.TextCountOf(client), store.TextCountOf(client));
                    Assert.Equal(first, store.FirstTextOf(client));
                    Assert.Equal(clients[client], store.ReadTexts(client).AsSpan());
                    first += clients[client].Length;
                }

                Assert.Equal(first, store.FirstTextOf(store.Count));
                Assert.Throws<ArgumentOutOfRangeException>(() => store.TextCountOf(clients.Length));
                Assert.Throws<ArgumentOutOfRangeException>(() => store.ReadTexts(-1));
            },
            iter: 200,
            threads: 1);
    }

    [Fact]
    public void Given_a_store_When_opened_again_Then_it_is_not_written_again_and_only_its_owner_can_read_it()
    {
        string json = _folder.Write("c.json", """{"a": ["one"], "b": []}""");
        ClientStore.Open(json, StoreFolder).Dispose();
        string file = Assert.Single(Directory.GetFiles(StoreFolder));
        DateTime written = File.GetLastWriteTimeUtc(file);
        ClientStore.Open(json, StoreFolder).Dispose();

        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(StoreFolder));
        }
    }

    [Fact]
    public void Given_json_that_changed_When_opened_Then_it_has_a_store_of_its_own()
    {
        string json = _folder.Write("c.json", """{"a": ["one"]}""");
        using ClientStore first = ClientStore.Open(json, StoreFolder);
        _folder.Write("c2.json", """{"a": ["two"]}""");
        File.Move(Path.Combine(_folder.Path, "c2.json"), json, overwrite: true);
        using ClientStore second = ClientStore.Open(json, StoreFolder);

        Assert.Equal("one", Assert.Single(first.ReadTexts(0)));
        Assert.Equal("two", Assert.Single(second.ReadTexts(0)));
    }

    [Theory]
    [InlineData("{\"a\": [\"x\"],\n\"b\": \"y\"}", 2)]
    [InlineData("{\"a\": [\"x\"],\n\"a\": []}", 2)]
    public void Given_a_mistake_in_the_json_When_opened_Then_its_line_is_told_and_nothing_is_left(string content, long line)
    {
        string json = _folder.Write("c.json", content);
        Assert.Equal(line, Assert.Throws<DataFormatException>(() => ClientStore.Open(json, StoreFolder)).Line);
        Assert.Empty(Directory.GetFiles(StoreFolder));
    }

    // Every byte of the file, one after the other, has a bit turned: header, texts, ids and index.
    [Fact]
    public void Given_a_store_with_any_damaged_byte_When_read_Then_it_is_made_anew_or_the_damage_is_told()
    {
        string json = _folder.Write("c.json", """{"first": ["one", "two"], "second": ["three"], "third": []}""");
        ClientStore.Open(json, StoreFolder).Dispose();
        string file = Assert.Single(Directory.GetFiles(StoreFolder));
        byte[] good = File.ReadAllBytes(file);
        int told = 0;
        for (int i = 0; i < good.Length; i++)
        {
            byte[] bad = [.. good];
            bad[i] ^= 0x10;
            File.WriteAllBytes(file, bad);
            using ClientStore store = ClientStore.Open(json, StoreFolder);
            Assert.Equal(["first", "second", "third"], Enumerable.Range(0, 3).Select(store.IdOf));
            try
            {
                string[] texts = [.. Enumerable.Range(0, 3).SelectMany(c => store.ReadTexts(c))];
                Assert.Equal(["one", "two", "three"], texts);
            }
            catch (DataFormatException e)
            {
                Assert.Contains("delete this file", e.Message, StringComparison.Ordinal);
                told++;
            }
        }

        Assert.Equal("one two three".Replace(" ", "", StringComparison.Ordinal).Length + 3, told); // the texts' own bytes, lengths included
        File.WriteAllBytes(file, good[..^1]);
        using ClientStore cut = ClientStore.Open(json, StoreFolder);
        Assert.Equal("three", Assert.Single(cut.ReadTexts(1)));
    }

    [Fact]
    public async Task Given_many_who_open_at_once_When_there_is_no_store_Then_all_read_the_same()
    {
        string json = _folder.Write("c.json", JsonSerializer.Serialize(Enumerable.Range(0, 500).ToDictionary(i => $"{i}", i => new[] { $"text {i}" })));
        string[] read = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            using ClientStore store = ClientStore.Open(json, StoreFolder);
            return Assert.Single(store.ReadTexts(i));
        })));
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"text {i}"), read);
        Assert.Single(Directory.GetFiles(StoreFolder));
    }
}
