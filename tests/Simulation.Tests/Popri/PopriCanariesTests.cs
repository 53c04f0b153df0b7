using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;

namespace Chorus.Simulation.Tests.Popri;

public sealed class PopriCanariesTests
{
    private static readonly HashedNgramEncoder Encoder = HashedNgramEncoder.Fit(["a public text", "another"], 1024);

    [Fact]
    public void Given_canaries_When_their_votes_are_compared_Then_only_what_centring_leaves_is_shared()
    {
        var canaries = PopriCanaries.Choose(Encoder, 40);
        Assert.Equal(40, canaries.Texts.Distinct().Count());
        Assert.Equal(1.0 / 39, canaries.Overlap, 5);
    }

    [Fact]
    public void Given_the_sum_of_some_canaries_votes_When_scored_Then_those_that_are_in_it_stand_one_above_the_others()
    {
        var canaries = PopriCanaries.Choose(Encoder, 40);
        var scorer = new CandidateScorer(EmbeddingMatrix.Encode(Encoder, canaries.Texts));
        var sum = new double[40];
        foreach (var i in new[] { 3, 17, 39 })
        {
            var vote = new double[40];
            var own = EmbeddingMatrix.Encode(Encoder, [.. Enumerable.Repeat(canaries.Texts[i], PopriCanaries.CopiesOfText)]);
            Assert.Equal(VoteKind.Counted, scorer.Vote([.. Enumerable.Range(0, own.Rows).SelectMany(r => own.Row(r).ToArray())], vote));
            sum = [.. sum.Zip(vote, (a, b) => a + b)];
        }

        var scores = canaries.Scores(sum);
        var inside = new[] { 3, 17, 39 }.Min(i => scores[i]);
        var outside = Enumerable.Range(0, 40).Except([3, 17, 39]).Max(i => scores[i]);
        Assert.Equal(1.0 + (1.0 / 39), inside - outside, 4);
    }

    [Fact]
    public void Given_too_few_dimensions_When_many_canaries_are_asked_for_Then_the_message_says_what_to_change()
    {
        var e = Assert.Throws<ArgumentException>(() => PopriCanaries.Choose(Encoder, 129));
        Assert.Contains("encoder.dimension", e.Message, StringComparison.Ordinal);
    }
}
