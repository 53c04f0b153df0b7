using System.Buffers.Binary;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Evaluation;

/// <summary>Which texts an arm trains on, where it may have so many only.</summary>
public static class TextDraw
{
    /// <summary>So many of the texts, each as likely as any other, in their order; all of them where the count is 0 or they are no more.</summary>
    /// <param name="seed">The run's.</param>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> texts, int count, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (count == 0 || texts.Count <= count)
            return texts;
        var keys = new byte[texts.Count * sizeof(ulong)];
        new SeededRandomSource(seed, "evaluation/texts").Fill(keys);
        return [.. Enumerable.Range(0, texts.Count)
            .OrderBy(i => BinaryPrimitives.ReadUInt64LittleEndian(keys.AsSpan(i * sizeof(ulong))))
            .Take(count)
            .Order()
            .Select(i => texts[i])];
    }
}
