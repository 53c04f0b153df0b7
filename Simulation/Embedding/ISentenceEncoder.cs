namespace Chorus.Simulation.Embedding;

/// <summary>Turns texts into vectors in which near means alike.</summary>
public interface ISentenceEncoder
{
    /// <summary>Numbers in an embedding.</summary>
    int Dimension { get; }

    /// <summary>Names all that the bits of an embedding depend on, in characters of a file name; null: that is not known, so embeddings cannot be kept.</summary>
    string? Identity => null;

    /// <summary>Encodes each text on its own; may be called on any number of threads.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="destination">Row-major [texts, Dimension], overwritten; each row has L2 norm 1 up to float32 rounding, or is zero.</param>
    void Encode(IReadOnlyList<string> texts, Span<float> destination);
}
