using Chorus.Simulation.FedAvg;

namespace Chorus.Simulation.Tests.FedAvg;

public class ClientTurnsTests
{
    [Fact]
    public void Given_a_pass_When_all_its_rounds_are_over_Then_every_client_took_part_in_exactly_one()
    {
        var rounds = Enumerable.Range(5, 4).Select(round => ClientTurns.InRound(Name, 1000, 4, 9, round)).ToArray();
        for (int client = 0; client < 1000; client++)
            Assert.Single(rounds, r => r.Contains(client));
        // 250 expected, deviation 14
        Assert.All(rounds, r => Assert.InRange(r.Count, 180, 320));
    }

    [Fact]
    public void Given_the_same_place_in_two_passes_When_compared_Then_the_clients_are_the_same() =>
        Assert.Equal(ClientTurns.InRound(Name, 500, 3, 9, 2).Sha256, ClientTurns.InRound(Name, 500, 3, 9, 8).Sha256);

    // Adjacency adds or removes one client: had that moved others, the sum would move by more than one client's vector.
    [Fact]
    public void Given_a_client_that_is_taken_away_When_turns_are_taken_Then_nobody_elses_changes()
    {
        string[] names = [.. Enumerable.Range(0, 200).Select(Name)];
        string[] without = [.. names.Where((_, i) => i != 77)];
        foreach (int round in Enumerable.Range(1, 5))
        {
            var all = ClientTurns.InRound(i => names[i], names.Length, 5, 9, round);
            var rest = ClientTurns.InRound(i => without[i], without.Length, 5, 9, round);
            Assert.Equal(
                names.Where((_, i) => i != 77 && all.Contains(i)),
                without.Where((_, i) => rest.Contains(i)));
        }
    }

    [Fact]
    public void Given_another_seed_When_turns_are_taken_Then_they_are_others() =>
        Assert.NotEqual(ClientTurns.InRound(Name, 500, 3, 9, 2).Sha256, ClientTurns.InRound(Name, 500, 3, 10, 2).Sha256);

    private static string Name(int client) => $"client-{client}";
}
