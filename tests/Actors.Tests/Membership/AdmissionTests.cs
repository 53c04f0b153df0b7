using Chorus.Actors.Membership;
using static Chorus.Actors.Membership.GateMessages;

namespace Chorus.Actors.Tests.Membership;

public sealed class AdmissionTests
{
    private static readonly (string, string)[] Running = [("10.0.0.1:4053", "congress-1")];

    [Fact]
    public void Given_the_same_version_When_a_client_node_or_the_first_coordinator_asks_Then_it_may_join()
    {
        Assert.Null(Admission.WhyNot(Question(null), "1.0.0", Running));
        Assert.Null(Admission.WhyNot(Question("congress-1"), "1.0.0", []));
    }

    [Theory]
    [InlineData("1.0.1", ChorusVersion.Protocol, "1.0.1")]
    [InlineData("1.0.0", ChorusVersion.Protocol + 1, "protocol 2")]
    [InlineData("", 0, "protocol 0")]
    public void Given_another_version_When_it_asks_Then_the_answer_names_both(string version, int protocol, string named)
    {
        var why = Admission.WhyNot(new JoinQuestion(version, protocol, null), "1.0.0", Running);
        Assert.Contains("runs Chorus 1.0.0", why, StringComparison.Ordinal);
        Assert.Contains(named, why, StringComparison.Ordinal);
        Assert.Contains("install the same version", why, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_run_at_work_When_another_coordinator_asks_Then_the_answer_names_the_run_and_where_it_is()
    {
        Assert.Contains("busy with run congress-1 (coordinator 10.0.0.1:4053)", Admission.WhyNot(Question("biorxiv-2"), "1.0.0", Running), StringComparison.Ordinal);
        Assert.Contains("has its coordinator at 10.0.0.1:4053 already", Admission.WhyNot(Question("congress-1"), "1.0.0", Running), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1]")]
    [InlineData("{\"join\":7}")]
    [InlineData("null")]
    public void Given_a_text_that_is_no_question_When_read_Then_it_is_none_and_nothing_is_thrown(string text) => Assert.Null(Read<Question>(text));

    [Fact]
    public void Given_a_text_of_two_megabytes_When_read_Then_it_is_not_even_parsed() =>
        Assert.Null(Read<Question>($"{{\"status\":true,\"more\":\"{new string('x', 2 << 20)}\"}}"));

    [Fact]
    public void Given_a_question_with_a_field_of_a_newer_version_When_read_Then_the_rest_is_understood() =>
        Assert.Equal("2.0.0", Read<Question>("{\"join\":{\"version\":\"2.0.0\",\"protocol\":2,\"shoe_size\":43}}")!.Join!.Version);

    private static JoinQuestion Question(string? run) => new("1.0.0", ChorusVersion.Protocol, run);
}
