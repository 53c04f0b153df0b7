using System.Text;
using Chorus.Gpu.Tokenizers.Unicode;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>The first step: text to text. One record for each kind that tokenizer.json knows.</summary>
internal abstract record Normalizer
{
    private static readonly string[] Known =
        ["Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "Replace", "Prepend", "BertNormalizer"];

    internal abstract string Apply(string text);

    internal static Normalizer Read(ComponentJson? component)
    {
        if (component is not { } json)
            return new Each([]);
        return json.Type switch
        {
            "Sequence" => new Each([.. json.Children("normalizers").Select(n => Read(n))]),
            "NFC" => new Form(Composed: true, Compatibility: false),
            "NFD" => new Form(Composed: false, Compatibility: false),
            "NFKC" => new Form(Composed: true, Compatibility: true),
            "NFKD" => new Form(Composed: false, Compatibility: true),
            "Lowercase" => new Lowercase(),
            "StripAccents" => new StripAccents(),
            "Strip" => new Strip(json.Flag("strip_left", true), json.Flag("strip_right", true)),
            "Replace" => new Replace(TextPattern.Read(json.RequiredChild("pattern")), json.RequiredText("content")),
            "Prepend" => new Prepend(json.RequiredText("prepend")),
            "BertNormalizer" => Bert.Read(json),
            _ => throw json.Unsupported(Known),
        };
    }

    private sealed record Each(Normalizer[] Parts) : Normalizer
    {
        internal override string Apply(string text) => Parts.Aggregate(text, (t, part) => part.Apply(t));
    }

    private sealed record Form(bool Composed, bool Compatibility) : Normalizer
    {
        internal override string Apply(string text) =>
            Composed ? UnicodeForms.Compose(text, Compatibility) : UnicodeForms.Decompose(text, Compatibility);
    }

    private sealed record Lowercase : Normalizer
    {
        internal override string Apply(string text) => CharacterClasses.ToLower(text);
    }

    private sealed record StripAccents : Normalizer
    {
        internal override string Apply(string text) => CharacterClasses.Keep(text, c => !CharacterClasses.IsMark(c));
    }

    private sealed record Strip(bool Left, bool Right) : Normalizer
    {
        internal override string Apply(string text)
        {
            var trimmed = Left ? text.TrimStart() : text;
            return Right ? trimmed.TrimEnd() : trimmed;
        }
    }

    private sealed record Replace(TextPattern Pattern, string Content) : Normalizer
    {
        internal override string Apply(string text) => Pattern.Replace(text, Content);
    }

    private sealed record Prepend(string What) : Normalizer
    {
        internal override string Apply(string text) => text.Length == 0 ? text : What + text;
    }

    /// <summary>BERT's cleaning (Devlin et al., arXiv:1810.04805, and its released tokenizer), in the order of Hugging Face's tokenizers.</summary>
    internal sealed record Bert(bool CleanText, bool SpaceChinese, bool StripsAccents, bool Lowers) : Normalizer
    {
        internal static Bert Read(ComponentJson json)
        {
            var lower = json.Flag("lowercase", true);
            return new Bert(json.Flag("clean_text", true), json.Flag("handle_chinese_chars", true), json.Flag("strip_accents", lower), lower);
        }

        internal override string Apply(string text)
        {
            if (CleanText || SpaceChinese)
                text = Clean(text);
            if (StripsAccents)
                text = CharacterClasses.Keep(UnicodeForms.Decompose(text, compatibility: false), c => !CharacterClasses.IsNonSpacingMark(c));
            return Lowers ? CharacterClasses.ToLower(text) : text;
        }

        private string Clean(string text)
        {
            var clean = new StringBuilder(text.Length + 8);
            Span<char> units = stackalloc char[2];
            foreach (var c in text.EnumerateRunes())
            {
                if (CleanText && IsDropped(c))
                    continue;
                if (CleanText && CharacterClasses.IsWhiteSpace(c))
                    clean.Append(' ');
                else if (SpaceChinese && IsChinese(c.Value))
                    clean.Append(' ').Append(units[..c.EncodeToUtf16(units)]).Append(' ');
                else
                    clean.Append(units[..c.EncodeToUtf16(units)]);
            }
            return clean.ToString();
        }

        private static bool IsDropped(Rune c) => c.Value is 0 or 0xFFFD || (c.Value is not ('\t' or '\n' or '\r') && Rune.GetUnicodeCategory(c)
            is System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.PrivateUse);

        // Blocks of Chinese characters. Hugging Face's tokenizers begin the last but two at U+2B920, not at U+2B820 as BERT
        // does; ids are to be theirs.
        private static bool IsChinese(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
            or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
            or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
    }
}
