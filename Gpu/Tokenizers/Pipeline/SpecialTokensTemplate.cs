namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>The last step: the special tokens before and after a text.</summary>
/// <param name="Before">Ids.</param>
/// <param name="After">Ids.</param>
internal sealed record SpecialTokensTemplate(int[] Before, int[] After)
{
    private static readonly string[] Known = ["Sequence", "TemplateProcessing", "ByteLevel", "BertProcessing", "RobertaProcessing"];

    internal static SpecialTokensTemplate None { get; } = new([], []);

    internal static SpecialTokensTemplate Read(ComponentJson? component)
    {
        if (component is not { } json)
            return None;
        return json.Type switch
        {
            "Sequence" => json.Children("processors").Select(p => Read(p))
                .Aggregate(None, (inner, outer) => new([.. outer.Before, .. inner.Before], [.. inner.After, .. outer.After])),
            "TemplateProcessing" => ReadTemplate(json),
            "ByteLevel" => None, // moves offsets only
            "BertProcessing" or "RobertaProcessing" => new([PairedId(json.RequiredChild("cls"))], [PairedId(json.RequiredChild("sep"))]),
            _ => throw json.Unsupported(Known),
        };
    }

    private static SpecialTokensTemplate ReadTemplate(ComponentJson json)
    {
        List<int> before = [], after = [];
        var texts = 0;
        foreach (var item in json.Children("single"))
        {
            if (item.Child("Sequence") is not null)
                texts++;
            else if (item.Child("SpecialToken") is { } special)
                (texts == 0 ? before : after).AddRange(Ids(json.RequiredChild("special_tokens"), special.RequiredText("id")));
            else
                throw item.Wrong("expected Sequence or SpecialToken");
        }
        return texts == 1 ? new([.. before], [.. after]) : throw json.Wrong($"single must hold the text once, found it {texts} times");
    }

    private static IEnumerable<int> Ids(ComponentJson tokens, string name) =>
        tokens.RequiredChild(name).Children("ids").Select(id => id.Json.TryGetInt32(out var value) ? value : throw id.Wrong("must be an id"));

    // ["[CLS]", 101]
    private static int PairedId(ComponentJson pair) => pair.Json.ValueKind == System.Text.Json.JsonValueKind.Array && pair.Json.GetArrayLength() == 2 && pair.Json[1].TryGetInt32(out var id)
        ? id
        : throw pair.Wrong("must be a token and its id");
}
