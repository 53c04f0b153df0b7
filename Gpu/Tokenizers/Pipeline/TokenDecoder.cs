using System.Globalization;
using System.Text;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>The way back: tokens to texts whose sequence is the text. One record for each kind that tokenizer.json knows.</summary>
internal abstract record TokenDecoder
{
    private static readonly string[] Known = ["Sequence", "ByteLevel", "WordPiece", "Metaspace", "ByteFallback", "Fuse", "Strip", "Replace", "BPEDecoder"];

    internal abstract List<string> Apply(List<string> tokens);

    internal static TokenDecoder Read(ComponentJson? component)
    {
        if (component is not { } json)
            return new Spaced();
        return json.Type switch
        {
            "Sequence" => new Each([.. json.Children("decoders").Select(d => Read(d))]),
            "ByteLevel" => new ByteLevel(),
            "WordPiece" => new WordPiece(json.Text("prefix") ?? "##", json.Flag("cleanup", true)),
            "Metaspace" => Metaspace.Read(json),
            "ByteFallback" => new ByteFallback(),
            "Fuse" => new Fuse(),
            "Strip" => new Strip(json.Character("content", " "), json.Number("start", 0), json.Number("stop", 0)),
            "Replace" => new Replace(TextPattern.Read(json.RequiredChild("pattern")), json.RequiredText("content")),
            "BPEDecoder" => new Suffixed(json.Text("suffix") ?? "</w>"),
            _ => throw json.Unsupported(Known),
        };
    }

    private static List<string> Map(List<string> tokens, Func<string, int, string> change) => [.. tokens.Select(change)];

    private sealed record Each(TokenDecoder[] Parts) : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) => Parts.Aggregate(tokens, (t, part) => part.Apply(t));
    }

    /// <summary>Where the file names no decoder.</summary>
    private sealed record Spaced : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) => [string.Join(' ', tokens)];
    }

    internal sealed record ByteLevel : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens)
        {
            var bytes = new MemoryStream();
            foreach (var token in tokens)
                bytes.Write(ByteAlphabet.TryDecode(token) ?? Encoding.UTF8.GetBytes(token)); // an added token is plain text
            return [Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length)];
        }
    }

    internal sealed record WordPiece(string Prefix, bool Cleans) : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) => Map(tokens, (token, i) =>
        {
            var text = i == 0 ? token : token.StartsWith(Prefix, StringComparison.Ordinal) ? token[Prefix.Length..] : " " + token;
            return Cleans ? Clean(text) : text;
        });

        // Within one token only, as Hugging Face's tokenizers do it: " ." loses its space, " ' " over three tokens keeps both.
        private static string Clean(string text) => text
            .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal).Replace(" !", "!", StringComparison.Ordinal)
            .Replace(" ,", ",", StringComparison.Ordinal).Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
            .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal).Replace(" 's", "'s", StringComparison.Ordinal)
            .Replace(" 've", "'ve", StringComparison.Ordinal).Replace(" 're", "'re", StringComparison.Ordinal);
    }

    private sealed record Metaspace(string Replacement, bool Prepended) : TokenDecoder
    {
        internal static Metaspace Read(ComponentJson json) => new(
            json.Character("replacement", "\u2581"), (json.Text("prepend_scheme") ?? (json.Flag("add_prefix_space", true) ? "always" : "never")) != "never");

        internal override List<string> Apply(List<string> tokens) =>
            Map(tokens, (token, i) => token.Replace(Replacement, i == 0 && Prepended ? "" : " ", StringComparison.Ordinal));
    }

    private sealed record ByteFallback : TokenDecoder
    {
        private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

        internal override List<string> Apply(List<string> tokens)
        {
            var texts = new List<string>(tokens.Count);
            var bytes = new List<byte>();
            foreach (var token in tokens)
            {
                if (token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
                    && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                {
                    bytes.Add(value);
                    continue;
                }
                Flush();
                texts.Add(token);
            }
            Flush();
            return texts;

            void Flush()
            {
                if (bytes.Count == 0)
                    return;
                try
                {
                    texts.Add(Strict.GetString([.. bytes]));
                }
                catch (DecoderFallbackException)
                {
                    texts.Add(new string('\ufffd', bytes.Count)); // one for each byte of the run, as Hugging Face's tokenizers do
                }
                bytes.Clear();
            }
        }
    }

    private sealed record Fuse : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];
    }

    private sealed record Strip(string Content, int Start, int Stop) : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) => Map(tokens, (token, _) =>
        {
            var text = token.AsSpan();
            for (var i = 0; i < Start && text.StartsWith(Content, StringComparison.Ordinal); i++)
                text = text[Content.Length..];
            for (var i = 0; i < Stop && text.EndsWith(Content, StringComparison.Ordinal); i++)
                text = text[..^Content.Length];
            return text.ToString();
        });
    }

    private sealed record Replace(TextPattern Pattern, string Content) : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) => Map(tokens, (token, _) => Pattern.Replace(token, Content));
    }

    private sealed record Suffixed(string Suffix) : TokenDecoder
    {
        internal override List<string> Apply(List<string> tokens) =>
            Map(tokens, (token, i) => token.Replace(Suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal));
    }
}
