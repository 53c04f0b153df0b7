using System.Text;
using Chorus.Gpu.Tokenizers.Unicode;
using CsCheck;

namespace Chorus.Gpu.Tests.Tokenizers.Unicode;

public class UnicodeFormsTests
{
    // From Unicode Standard Annex #15, figures 3 to 6, and section 3.12 of the standard (Hangul).
    [Theory]
    [InlineData("\u212b", "A\u030a", "\u00c5", "A\u030a", "\u00c5")] // Angstrom sign
    [InlineData("\u2126", "\u03a9", "\u03a9", "\u03a9", "\u03a9")] // Ohm sign
    [InlineData("\u1e69", "s\u0323\u0307", "\u1e69", "s\u0323\u0307", "\u1e69")]
    [InlineData("\u1e0b\u0323", "d\u0323\u0307", "\u1e0d\u0307", "d\u0323\u0307", "\u1e0d\u0307")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307")]
    [InlineData("\ufb01", "\ufb01", "\ufb01", "fi", "fi")]
    [InlineData("2\u2075", "2\u2075", "2\u2075", "25", "25")]
    [InlineData("\u1e9b\u0323", "\u017f\u0323\u0307", "\u1e9b\u0323", "s\u0323\u0307", "\u1e69")]
    [InlineData("\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8", "\uac01")]
    [InlineData("\u0958", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c")] // excluded from composition
    [InlineData("\ud834\udd5e", "\ud834\udd57\ud834\udd65", "\ud834\udd57\ud834\udd65", "\ud834\udd57\ud834\udd65", "\ud834\udd57\ud834\udd65")]
    public void Given_the_standards_examples_When_normalised_Then_the_four_forms_are_the_standards(string text, string nfd, string nfc, string nfkd, string nfkc)
    {
        Assert.Equal(nfd, UnicodeForms.Decompose(text, compatibility: false));
        Assert.Equal(nfc, UnicodeForms.Compose(text, compatibility: false));
        Assert.Equal(nfkd, UnicodeForms.Decompose(text, compatibility: true));
        Assert.Equal(nfkc, UnicodeForms.Compose(text, compatibility: true));
    }

    private static readonly Gen<string> Marked = Gen.OneOf(
        Gen.Char['\u0001', '\u02ff'], Gen.Char['\u0300', '\u0345'], Gen.Char['\u1100', '\u11ff'], Gen.Char['\uac00', '\ud7a3'], Gen.Char['\uf900', '\ufb4f'])
        .Array[0, 30].Select(c => new string(c));

    [Fact]
    public void Given_any_text_When_normalised_twice_Then_the_second_changes_nothing_and_the_forms_agree() => Marked.Sample(text =>
    {
        var nfd = UnicodeForms.Decompose(text, compatibility: false);
        var nfc = UnicodeForms.Compose(text, compatibility: false);
        return UnicodeForms.Decompose(nfd, false) == nfd && UnicodeForms.Compose(nfc, false) == nfc
            && UnicodeForms.Compose(nfd, false) == nfc && UnicodeForms.Decompose(nfc, false) == nfd;
    });

    [Fact]
    public void Given_a_long_run_of_marks_When_decomposed_Then_they_are_sorted_by_class_and_equals_stay_in_order()
    {
        var marks = new StringBuilder("a");
        for (var i = 0; i < 20_000; i++)
            marks.Append("\u0301\u0323\u0300"); // classes 230, 220, 230
        var sorted = UnicodeForms.Decompose(marks.ToString(), compatibility: false);
        Assert.Equal("a" + new string('\u0323', 20_000) + string.Concat(Enumerable.Repeat("\u0301\u0300", 20_000)), sorted);
    }
}
