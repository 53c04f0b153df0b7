namespace Chorus.Gpu.Tokenizers;

/// <summary>Turns texts into the ids that a model reads, and ids into text. Implementations are thread-safe.</summary>
public interface ITokenizer
{
    /// <summary>Ids are in [0, VocabularySize).</summary>
    int VocabularySize { get; }

    /// <summary>The id that begins a text; null where the tokenizer names none.</summary>
    int? BeginOfText { get; }

    /// <summary>The id that ends a text; null where the tokenizer names none.</summary>
    int? EndOfText { get; }

    /// <summary>The id that fills up short rows; null where the tokenizer names none.</summary>
    int? Padding { get; }

    /// <summary>The ids of a text. A lone surrogate is read as U+FFFD.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Put those special tokens around it that the model expects (Llama 3: begin of text; BERT: [CLS] and [SEP]).</param>
    int[] Encode(string text, bool addSpecialTokens);

    /// <summary>The ids of a text in which no special token is read or added: a private text that spells one out stays plain text.</summary>
    int[] EncodePlain(string text);

    /// <summary>The text of the ids; bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Ids in [0, VocabularySize); one that the vocabulary leaves out has no text.</param>
    /// <param name="skipSpecialTokens">Leave special tokens out of the text.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id outside [0, VocabularySize).</exception>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens);
}
