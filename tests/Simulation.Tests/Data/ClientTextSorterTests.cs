using Chorus.Simulation.Data;

namespace Chorus.Simulation.Tests.Data;

public class ClientTextSorterTests
{
    [Fact]
    public void Given_texts_in_any_order_When_read_back_Then_client_by_client_in_the_order_first_met()
    {
        var random = new Random(1);
        (string Client, string Text, string? Topic)[] rows =
            [.. Enumerable.Range(0, 3_000).Select(i => ($"c{random.Next(200)}", $"text {i} é😀", random.Next(3) == 0 ? null : $"t{i % 4}"))];
        using var sorter = new ClientTextSorter(clientsAStretch: 7);
        foreach ((string client, string text, string? topic) in rows)
            sorter.Add(client, text, topic);
        Assert.Equal(rows.Select(r => r.Client).Distinct().Count(), sorter.Clients);
        Assert.True(sorter.Has(rows[5].Client));
        Assert.False(sorter.Has("nobody"));
        (string Id, List<(string Text, string? Topic)> Texts)[] read = [.. sorter.Read()];
        Assert.Equal(rows.Select(r => r.Client).Distinct(), read.Select(r => r.Id));
        Assert.All(read, client => Assert.Equal(rows.Where(r => r.Client == client.Id).Select(r => (r.Text, r.Topic)), client.Texts));
    }

    [Fact]
    public void Given_a_sorter_When_disposed_Then_no_text_is_left_on_the_disk()
    {
        string folder;
        using (var sorter = new ClientTextSorter())
        {
            folder = sorter.Folder;
            sorter.Add("a", "secret", null);
            Assert.Single(sorter.Read());
            Assert.Contains("secret", File.ReadAllText(Directory.GetFiles(folder).Single()), StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(folder));
    }
}
