using System.Collections.Immutable;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Popri;

/// <summary>Chooses the public texts that each prompt of a round shows to the policy.</summary>
public static class FewShotPrompts
{
    /// <summary>Draws the texts of every prompt; the first k prompts are the same however many are drawn.</summary>
    /// <param name="publicTexts">Size of the public set.</param>
    /// <param name="prompts">Number of prompts, at least 1.</param>
    /// <param name="shots">Texts a prompt, in [1, publicTexts].</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="round">Round number, at least 0; rounds are independent.</param>
    /// <returns>[prompts][shots] indices into the public set, distinct within a prompt, in the order to show them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public static ImmutableArray<ImmutableArray<int>> Draw(int publicTexts, int prompts, int shots, ulong seed, int round)
    {
        if (prompts < 1)
            throw new ArgumentOutOfRangeException(nameof(prompts), $"prompts must be at least 1, got {prompts}");
        if (shots < 1 || shots > publicTexts)
            throw new ArgumentOutOfRangeException(nameof(shots), $"shots must be in [1, {publicTexts}] (the public set has {publicTexts} texts), got {shots}");
        ArgumentOutOfRangeException.ThrowIfNegative(round);
        var bits = new RandomBits(new SeededRandomSource(seed, $"few-shot/{round}"));
        var drawn = ImmutableArray.CreateBuilder<ImmutableArray<int>>(prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
            drawn.Add([.. bits.Distinct(publicTexts, shots)]);
        return drawn.MoveToImmutable();
    }
}
