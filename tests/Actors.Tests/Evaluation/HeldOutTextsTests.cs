using Chorus.Actors.Evaluation;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Tests.Evaluation;

public sealed class HeldOutTextsTests
{
    private static readonly HeldOutTexts HeldOut = new(["a", "b", "c", "d"], new HeldOutTopics(["x", "y", "z", "empty"], [1, 0, 1, 2]));

    [Fact]
    public void Given_counts_for_each_text_When_added_up_by_topic_Then_in_the_topics_order_and_without_those_that_hold_no_token() => Assert.Equal(
        [new TopicAccuracy("x", 4, 0.75), new TopicAccuracy("y", 10, 0.2)],
        HeldOut.ByTopic([(1, 6), (3, 4), (1, 4), (0, 0)]).AsEnumerable());

    [Fact]
    public void Given_counts_of_other_texts_When_added_up_Then_refused() =>
        Assert.Contains("each of 4 texts, got 1", Assert.Throws<ArgumentException>(() => HeldOut.ByTopic([(1, 1)])).Message, StringComparison.Ordinal);
}
