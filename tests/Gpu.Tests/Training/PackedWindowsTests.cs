using Chorus.Gpu.Training;
using CsCheck;

namespace Chorus.Gpu.Tests.Training;

public sealed class PackedWindowsTests
{
    private static readonly Gen<int[][]> Documents = Gen.Int[0, 999].Array[1, 20].Array[2, 12];

    [Fact]
    public void Given_any_documents_When_packed_Then_each_row_is_a_stretch_of_documents_in_some_order_and_no_token_is_left_out() =>
        Gen.Select(Documents, Gen.Int[1, 16], Gen.Int[1, 5], Gen.ULong).Sample((documents, length, batch, seed) =>
        {
            // Tokens are made distinct, so that a token tells where it is from.
            var next = 0;
            documents = [.. documents.Select(d => d.Select(_ => next++).ToArray())];
            var follows = documents.SelectMany(d => d.Zip(d.Skip(1))).ToDictionary(p => p.First, p => p.Second);
            var starts = documents.Select(d => d[0]).ToHashSet();
            var windows = new PackedWindows(documents, length, batch, seed);
            var seen = new HashSet<long>();
            var steps = 0;
            foreach (var (ids, rows, time) in windows.Epoch(1))
            {
                steps++;
                Assert.Equal(rows * (time + 1), ids.Length);
                Assert.InRange(rows, 1, batch);
                foreach (var row in ids.Chunk(time + 1))
                {
                    seen.UnionWith(row);
                    for (var t = 0; t < time; t++)
                        Assert.True(follows.TryGetValue((int)row[t], out var after) ? after == row[t + 1] : starts.Contains((int)row[t + 1]));
                }
            }
            Assert.Equal(windows.StepsPerEpoch, steps);
            Assert.Equal(next, seen.Count);
        }, iter: 200);

    [Fact]
    public void Given_two_epochs_When_packed_Then_their_orders_differ_and_each_repeats()
    {
        var documents = Enumerable.Range(0, 20).Select(i => new[] { i, i, i }).ToArray();
        long[] Ids(int epoch) => [.. new PackedWindows(documents, 5, 4, 7).Epoch(epoch).SelectMany(b => b.Ids)];
        Assert.Equal(Ids(1), Ids(1));
        Assert.NotEqual(Ids(1), Ids(2));
    }

    [Fact]
    public void Given_many_seeds_When_orders_are_drawn_Then_each_permutation_of_three_is_equally_frequent()
    {
        var counts = new Dictionary<string, int>();
        for (ulong seed = 0; seed < 6000; seed++)
        {
            var order = string.Concat(new SeededShuffle(seed, 1).Order(3));
            counts[order] = counts.GetValueOrDefault(order) + 1;
        }
        Assert.Equal(6, counts.Count);
        Assert.All(counts.Values, c => Assert.InRange(c, 850, 1150)); // 1000, standard deviation 29
    }

    [Fact]
    public void Given_a_schedule_When_read_Then_it_rises_in_a_line_and_falls_to_its_final_share()
    {
        var schedule = new LearningRateSchedule(1, 0.1, 4, 104);
        Assert.Equal([0.2, 0.4, 0.6, 0.8, 1.0], Enumerable.Range(0, 5).Select(s => Math.Round(schedule.At(s), 12)));
        Assert.Equal(0.1, schedule.At(103), 12);
        Assert.All(Enumerable.Range(5, 99), s => Assert.True(schedule.At(s) < schedule.At(s - 1)));
        Assert.Equal(1, new LearningRateSchedule(1, 0.1, 50, 1).At(0));
    }
}
