using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Tests.Embedding;

public class HashedNgramEncoderTests
{
    private static readonly string[] Health =
    [
        "I rise in support of funding for rural hospitals and the nurses who serve patients there.",
        "The hospital in my district cannot hire doctors, and patients wait months for care.",
        "We must lower the price of insulin so that patients can afford their medicine.",
        "Nurses and doctors deserve better pay, and hospitals need the funding to give it.",
        "Medicine is of no use to patients who cannot afford to see a doctor.",
    ];

    private static readonly string[] Energy =
    [
        "This bill opens federal land to oil drilling and new pipelines.",
        "Wind and solar power now cost less than coal in most of the country.",
        "The pipeline would carry crude oil across three states to refineries on the coast.",
        "Coal miners should not pay for the switch to wind and solar power.",
        "Oil and gas leases on federal land bring in power and revenue for the states.",
    ];

    private static readonly string[] Biology =
    [
        "We sequenced the genomes of 40 bacterial strains and found three resistance genes.",
        "Expression of the gene was reduced in mutant cells (p < 0.01; n = 12).",
        "Protein binding was measured in vitro; mutant cells showed no binding (n = 8).",
        "Here, we report single-cell RNA sequencing of cortical neurons in mutant mice.",
        "Resistance genes were found in bacterial genomes from 14 of 20 samples (p < 0.05).",
    ];

    private static readonly string[] Chat =
    [
        "omg did you see that??? lol so funny!!!",
        "lol no way!! i can't even!!! so good",
        "haha omg yes!!! see you there??",
        "no way!!! haha that was so funny lol",
        "omg i can't wait!! you coming???",
    ];

    [Fact]
    public void Given_topics_and_styles_When_encoded_Then_texts_of_one_are_nearer_than_texts_of_two()
    {
        string[][] sets = [Health, Energy, Biology, Chat];
        HashedNgramEncoder encoder = HashedNgramEncoder.Fit([.. sets.SelectMany(s => s)]);
        EmbeddingMatrix all = EmbeddingMatrix.Encode(encoder, [.. sets.SelectMany(s => s)]);
        double within = 0, between = 0;
        int nearestOfOwn = 0;
        for (int i = 0; i < 20; i++)
        {
            double[] cosines = [.. Enumerable.Range(0, 20).Select(k => Cosine(all, i, k))];
            double own = Enumerable.Range(0, 20).Where(k => k != i && k / 5 == i / 5).Average(k => cosines[k]);
            double other = Enumerable.Range(0, 20).Where(k => k / 5 != i / 5).Average(k => cosines[k]);
            Assert.True(own > other, $"text {i}: {own:F3} to its own, {other:F3} to others");
            int nearest = Enumerable.Range(0, 20).Where(k => k != i).MaxBy(k => cosines[k]);
            nearestOfOwn += nearest / 5 == i / 5 ? 1 : 0;
            (within, between) = (within + (own / 20), between + (other / 20));
        }

        Assert.True(nearestOfOwn >= 18, $"nearest text of its own set for {nearestOfOwn} of 20");
        Assert.True(within > between + 0.08, $"within {within:F3}, between {between:F3}");
    }

    [Fact]
    public void Given_any_text_When_encoded_Then_the_row_is_unit_or_zero()
    {
        HashedNgramEncoder encoder = HashedNgramEncoder.Fit(Health);
        string[] texts = ["", "  \t\n", "a", "!", "\uD83D", "é", new string('x', 5000), "never seen before words", "日本語のテキスト", "🙂🙂 ok"];
        EmbeddingMatrix rows = EmbeddingMatrix.Encode(encoder, texts);
        for (int i = 0; i < texts.Length; i++)
        {
            double norm = Math.Sqrt(FixedOrder.SumOfSquares(rows.Row(i)));
            Assert.Equal(i < 2 ? 0 : 1, norm, 1e-6);
        }
    }

    [Fact]
    public void Given_case_and_spacing_When_encoded_Then_they_do_not_matter_but_words_do()
    {
        HashedNgramEncoder encoder = HashedNgramEncoder.Fit(Health);
        EmbeddingMatrix rows = EmbeddingMatrix.Encode(encoder, ["The House  voted", "the house voted", "the house votes", "voted house the"]);
        Assert.Equal(rows.Row(0).ToArray(), rows.Row(1).ToArray());
        Assert.InRange(Cosine(rows, 1, 2), 0.5, 0.99);
        Assert.InRange(Cosine(rows, 1, 3), 0.5, 0.99);   // same words, other pairs
    }

    [Fact]
    public void Given_one_public_set_When_fitted_twice_Then_the_same_bits_and_hash_as_were_written_down()
    {
        HashedNgramEncoder encoder = HashedNgramEncoder.Fit(Health, 16);
        Assert.Equal(encoder.Sha256, HashedNgramEncoder.Fit(Health, 16).Sha256);
        Assert.NotEqual(encoder.Sha256, HashedNgramEncoder.Fit(Energy, 16).Sha256);
        Assert.NotEqual(encoder.Sha256, HashedNgramEncoder.Fit(Health, 17).Sha256);
        // Written down once: another platform, or a change of the encoder without a change of its version, must not pass unseen.
        Assert.Equal("4d069063af068294eaab9e5d6a2efd8585b619b3de9358809145f3e10da8b5ac", encoder.Sha256);
        Assert.Equal("703077d479fce9d131acef802f2c641405ae66c4b424eac9d3cebf145f0db6d0", EmbeddingMatrix.Encode(encoder, [.. Energy, "Straße, naïve — 12%"]).Sha256);
    }

    [Fact]
    public void Given_numbers_out_of_range_When_fitted_or_encoded_Then_refused()
    {
        Assert.Throws<ArgumentException>(() => HashedNgramEncoder.Fit([]));
        Assert.Throws<ArgumentOutOfRangeException>(() => HashedNgramEncoder.Fit(Health, 7));
        Assert.Throws<ArgumentException>(() => HashedNgramEncoder.Fit(Health, 8).Encode(["a"], new float[9]));
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(2.0)]
    [InlineData(3.0)]
    [InlineData(1.4142135623730951)]
    [InlineData(1e-5)]
    [InlineData(72001.0 / 7)]
    public void Given_a_number_When_its_stable_logarithm_is_taken_Then_as_the_platforms(double x) =>
        Assert.Equal(Math.Log(x), StableLog.Ln(x), 1e-14);

    private static double Cosine(EmbeddingMatrix rows, int a, int b)
    {
        double sum = 0;
        for (int j = 0; j < rows.Dimension; j++)
            sum += (double)rows.Row(a)[j] * rows.Row(b)[j];
        return sum;
    }
}
