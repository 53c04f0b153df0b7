using System.Text.Json;
using Chorus.Gpu.Tokenizers.Pipeline;

namespace Chorus.Gpu.Tokenizers;

/// <summary>The special tokens that tokenizer_config.json, or else special_tokens_map.json, names; null where neither does.</summary>
internal sealed record SpecialTokenNames(string? BeginOfText, string? EndOfText, string? Unknown, string? Separator, string? Padding, string? Classifier, string? Mask)
{
    internal IEnumerable<string> All => new[] { BeginOfText, EndOfText, Unknown, Separator, Padding, Classifier, Mask }.OfType<string>().Distinct(StringComparer.Ordinal);

    internal static SpecialTokenNames Read(ComponentJson config, ComponentJson map)
    {
        return new SpecialTokenNames(Name("bos_token"), Name("eos_token"), Name("unk_token"), Name("sep_token"), Name("pad_token"), Name("cls_token"), Name("mask_token"));

        string? Name(string key) => In(config, key) ?? In(map, key);

        // "token", or {"content": "token", ...}
        static string? In(ComponentJson json, string key) =>
            json.Has(key) && json.Json.GetProperty(key).ValueKind == JsonValueKind.Object ? json.RequiredChild(key).Text("content") : json.Text(key);
    }
}
