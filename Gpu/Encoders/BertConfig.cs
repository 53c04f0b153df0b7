using System.Text.Json;

namespace Chorus.Gpu.Encoders;

/// <summary>The shape of a BERT encoder, from the config.json of transformers 4 or 5.</summary>
public sealed record BertConfig
{
    private const string DefaultActivation = "gelu";
    private static readonly string[] Activations = [DefaultActivation, "gelu_new", "gelu_pytorch_tanh", "relu"];

    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    /// <summary>Longest sequence in tokens.</summary>
    public required int MaxLength { get; init; }

    public required int TokenTypes { get; init; }

    public required double NormEpsilon { get; init; }

    /// <summary>gelu (exact), gelu_new or gelu_pytorch_tanh (its approximation by tanh), or relu.</summary>
    public required string Activation { get; init; }

    public int HeadSize => HiddenSize / Heads;

    /// <summary>Reads config.json. Keys that only training or decoding reads are passed over.</summary>
    /// <exception cref="InvalidDataException">Another architecture, or a value that is missing or not supported; the message names the key.</exception>
    public static BertConfig Read(string path)
    {
        if (!File.Exists(path))
            throw new InvalidDataException($"{path} is missing; expected a BERT checkpoint in Hugging Face layout");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return Read(json.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private static BertConfig Read(JsonElement root)
    {
        Require("model_type", "bert");
        Require("position_embedding_type", "absolute");
        if (root.TryGetProperty("is_decoder", out var decoder) && decoder.ValueKind == JsonValueKind.True)
            throw new InvalidDataException("is_decoder must be false: a sentence encoder looks both ways");
        var activation = Text("hidden_act") ?? DefaultActivation;
        if (!Activations.Contains(activation))
            throw new InvalidDataException($"hidden_act {activation} is not supported; known are {string.Join(", ", Activations)}");
        var config = new BertConfig
        {
            VocabularySize = Size("vocab_size"),
            HiddenSize = Size("hidden_size"),
            IntermediateSize = Size("intermediate_size"),
            Layers = Size("num_hidden_layers"),
            Heads = Size("num_attention_heads"),
            MaxLength = Size("max_position_embeddings"),
            TokenTypes = root.TryGetProperty("type_vocab_size", out _) ? Size("type_vocab_size") : 2,
            NormEpsilon = root.TryGetProperty("layer_norm_eps", out var epsilon) ? epsilon.GetDouble() : 1e-12,
            Activation = activation,
        };
        if (config.HiddenSize % config.Heads != 0)
            throw new InvalidDataException($"hidden_size {config.HiddenSize} must be a multiple of num_attention_heads {config.Heads}");
        if (!(config.NormEpsilon > 0))
            throw new InvalidDataException($"layer_norm_eps must be above 0, found {config.NormEpsilon}");
        return config;

        string? Text(string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

        void Require(string name, string only)
        {
            if (Text(name) is { } found && found != only)
                throw new InvalidDataException($"{name} {found} is not supported; known is {only}");
        }

        int Size(string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var size) && size > 0
            ? size
            : throw new InvalidDataException($"{name} must be a whole number above 0, found {(value.ValueKind == JsonValueKind.Undefined ? "nothing" : value.GetRawText())}");
    }
}
