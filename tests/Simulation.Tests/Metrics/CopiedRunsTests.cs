using Chorus.Simulation.Metrics;
using CsCheck;

namespace Chorus.Simulation.Tests.Metrics;

public class CopiedRunsTests
{
    [Fact]
    public void Given_a_text_that_quotes_When_compared_Then_the_quoted_words_are_counted_whatever_case_and_marks()
    {
        var runs = new CopiedRuns(["He said: 'Ask not what your country can do', and left.", "Nothing of it.", "", "Do what ask not!"]);
        runs.Read("And so, my fellow Americans: ASK NOT what your country can do for you -- ask what you can do");
        runs.Read("He said nothing.");
        Assert.Equal([7, 1, 0, 2], runs.Longest());
    }

    // Few words, so that runs repeat, overlap and share beginnings: what the automaton's states are split for.
    [Fact]
    public void Given_any_texts_and_corpus_When_compared_Then_as_by_trying_every_run()
    {
        Gen<string> text = Gen.Int[0, 2].Array[0, 14].Select(words => string.Join(' ', words.Select(w => "abc"[w])));
        Gen.Select(text.Array[1, 6], text.Array[0, 6]).Sample((texts, corpus) =>
        {
            var runs = new CopiedRuns(texts);
            foreach (string other in corpus)
                runs.Read(other);
            Assert.Equal(texts.Select(t => corpus.Select(c => Longest(t, c)).DefaultIfEmpty().Max()), runs.Longest());
        }, iter: 5_000);
    }

    [Fact]
    public void Given_more_of_the_corpus_When_read_later_Then_runs_only_grow()
    {
        var runs = new CopiedRuns(["a b c d"]);
        Assert.Equal([0], runs.Longest());
        runs.Read("b c");
        Assert.Equal([2], runs.Longest());
        runs.Read("z a b c d z");
        Assert.Equal([4], runs.Longest());
    }

    [Fact]
    public void Given_sequences_When_in_the_automaton_Then_states_and_edges_stay_within_the_linear_bound()
    {
        var random = new Random(3);
        var automaton = new SuffixAutomaton();
        int symbols = 0;
        for (int i = 0; i < 200; i++)
        {
            int[] sequence = [.. Enumerable.Range(0, 50).Select(_ => random.Next(1 + (i % 7)))];
            symbols += sequence.Length;
            automaton.Add(sequence);
        }

        Assert.InRange(automaton.States, symbols / 10, 2 * symbols);
        Assert.All(Enumerable.Range(1, automaton.States - 1), s => Assert.True(automaton.LengthOf(automaton.LinkOf(s)) < automaton.LengthOf(s)));
    }

    [Fact]
    public void Given_runs_When_summed_up_Then_share_median_and_longest()
    {
        Assert.Equal(new CopyShare(0.5, 4, 20), CopyShare.Of([13, 4, 2, 20], 13));
        Assert.Throws<ArgumentException>(() => CopyShare.Of([], 13));
        Assert.Throws<ArgumentOutOfRangeException>(() => CopyShare.Of([1], 0));
    }

    private static int Longest(string a, string b)
    {
        string[] x = a.Split(' ', StringSplitOptions.RemoveEmptyEntries), y = b.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        int longest = 0;
        for (int i = 0; i < x.Length; i++)
        {
            for (int j = 0; j < y.Length; j++)
            {
                int run = 0;
                while (i + run < x.Length && j + run < y.Length && x[i + run] == y[j + run])
                    run++;
                longest = Math.Max(longest, run);
            }
        }

        return longest;
    }
}
