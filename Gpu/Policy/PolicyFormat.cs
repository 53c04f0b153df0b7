using System.Collections.Immutable;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Tokenizers;

namespace Chorus.Gpu.Policy;

/// <summary>How a policy's model is shown texts, and how it ends one of its own.</summary>
/// <remarks>
/// A model that was pretrained here on documents with an end token behind each is prompted the same way. Published models
/// were often trained not to look past an end token (Llama 3 masks attention there), so that examples before it would show
/// them nothing: there a blank line stands between texts, and a text ends at the first blank line or end token. Line breaks
/// within an example become spaces, for they could be taken for an end.
/// </remarks>
internal sealed class PolicyFormat
{
    /// <summary>What stands between the texts of a checkpoint's prompt.</summary>
    internal const string CheckpointSeparator = "\n\n";

    private readonly ITokenizer _tokenizer;
    private readonly ImmutableArray<int> _begin; // before the first text
    private readonly ImmutableArray<int> _after; // behind each text
    private readonly bool _oneLine;

    private PolicyFormat(ITokenizer tokenizer, IEnumerable<int> endTokens, IEnumerable<int> begin, IEnumerable<int> after, bool oneLine)
    {
        _tokenizer = tokenizer;
        (EndTokens, _begin, _after, _oneLine) = ([.. endTokens], [.. begin], [.. after], oneLine);
    }

    /// <summary>Each ends a text; at least one, the model's own first.</summary>
    public ImmutableArray<int> EndTokens { get; }

    /// <summary>Of a model that was pretrained here.</summary>
    public static PolicyFormat OfPretrained(ByteLevelBpeTokenizer tokenizer) => new(tokenizer, [tokenizer.EndOfText], [], [tokenizer.EndOfText], oneLine: false);

    /// <summary>Of a checkpoint with its own tokenizer.</summary>
    /// <exception cref="InvalidDataException">The tokenizer is not supported, or nothing names an end of text.</exception>
    public static PolicyFormat OfCheckpoint(string directory)
    {
        var tokenizer = PretrainedTokenizer.Load(directory);
        int vocabulary = CausalCheckpoint.ReadShape(directory).VocabularySize;
        int[] ends = [.. CausalCheckpoint.EndTokens(directory).Concat(tokenizer.EndOfText is { } end ? [end] : []).Distinct().Where(id => (uint)id < (uint)vocabulary)];
        if (ends.Length == 0)
            throw new InvalidDataException($"{directory}: neither config.json nor the tokenizer names an end of text (eos_token_id)");
        return new PolicyFormat(tokenizer, ends, tokenizer.Encode("", addSpecialTokens: true).TakeWhile(id => id == tokenizer.BeginOfText), tokenizer.EncodePlain(CheckpointSeparator), oneLine: true);
    }

    /// <summary>The tokens that a new text is to follow.</summary>
    /// <param name="examples">Texts shown before it; may be none.</param>
    /// <param name="maxTextTokens">Longer examples are cut at their end.</param>
    /// <param name="maxTokens">A longer prompt is cut at its beginning.</param>
    public int[] Prompt(IReadOnlyList<string> examples, int maxTextTokens, int maxTokens)
    {
        var tokens = new List<int>(_begin);
        foreach (var text in examples)
            tokens.AddRange([.. _tokenizer.EncodePlain(_oneLine ? text.ReplaceLineEndings(" ").Trim() : text).Take(maxTextTokens), .. _after]);
        if (tokens.Count == 0)
            tokens.Add(EndTokens[0]);
        return [.. tokens.Skip(tokens.Count - maxTokens)];
    }

    /// <summary>A text of the model's own as it would stand in its training data: what it wrote, with what ends a text behind it.</summary>
    public int[] Document(Candidate text) => text.Ended && !_oneLine ? [.. text.Tokens]
        : text.Ended ? [.. _tokenizer.EncodePlain(text.Text), .. _after]
        : [.. text.Tokens, .. _after];

    /// <summary>The text of tokens that the model wrote.</summary>
    public string Decode(ReadOnlySpan<int> tokens) => _tokenizer.Decode(tokens, skipSpecialTokens: true);
}
