using System.Text.Json;
using System.Text.Json.Nodes;

namespace Chorus.Gpu.Tests.Tokenizers;

/// <summary>Small tokenizer.json files, written by hand, of the kinds that published checkpoints have.</summary>
internal static class TokenizerFixtures
{
    /// <summary>SentencePiece's BPE as Llama 2 ships it: a sign for the space, byte fallback, nothing split before the merges.</summary>
    internal static JsonObject LlamaTwo()
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0, ["<s>"] = 1, ["</s>"] = 2 };
        for (var b = 0; b < 256; b++)
            vocabulary[$"<0x{b:X2}>"] = vocabulary.Count;
        foreach (var token in new[] { "▁", "t", "h", "e", "n", "a", "th", "the", "▁the", "▁a", "an", "▁▁" })
            vocabulary[token] = vocabulary.Count;
        return Parse($$$"""
            {
              "added_tokens": [{{{Added(0, "<unk>")}}}, {{{Added(1, "<s>")}}}, {{{Added(2, "</s>")}}}],
              "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
              "pre_tokenizer": null,
              "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]} } },
              "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
              "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                "vocab": {{{vocabulary.ToJsonString()}}},
                "merges": [["t", "h"], ["th", "e"], ["▁", "the"], ["a", "n"], ["▁", "a"], ["▁", "▁"]]}
            }
            """);
    }

    /// <summary>BERT's WordPiece with the tokens that are given after the five special ones.</summary>
    internal static JsonObject Bert(params string[] tokens)
    {
        var vocabulary = new JsonObject();
        foreach (var token in (string[])["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. tokens])
            vocabulary[token] = vocabulary.Count;
        return Parse($$$"""
            {
              "added_tokens": [{{{Added(0, "[PAD]")}}}, {{{Added(1, "[UNK]")}}}, {{{Added(2, "[CLS]")}}}, {{{Added(3, "[SEP]")}}}, {{{Added(4, "[MASK]")}}}],
              "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
              "pre_tokenizer": {"type": "BertPreTokenizer"},
              "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
              "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
              "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 10, "vocab": {{{vocabulary.ToJsonString()}}}}
            }
            """);
    }

    internal static string Added(int id, string content, string flags = "\"lstrip\": false, \"rstrip\": false, \"single_word\": false, \"normalized\": false") =>
        $$"""{"id": {{id}}, "content": "{{content}}", {{flags}}, "special": true}""";

    internal static JsonObject Parse(string json) => JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { AllowTrailingCommas = true })!.AsObject();
}
