namespace Chorus.Gpu.Models;

/// <summary>How rotary frequencies are stretched so that a model reaches further than it was first trained to.</summary>
/// <param name="Factor">How much further; 1 or more.</param>
public abstract record RotaryScaling(double Factor)
{
    /// <summary>A frequency as the model was trained with to the one it now turns with, in float32 as transformers computes it.</summary>
    internal abstract float Scale(float frequency);

    private protected static double AtLeastOne(double factor) => factor >= 1 && double.IsFinite(factor) ? factor
        : throw new ArgumentException($"rotary scaling: factor must be at least 1 and finite, got {factor}");
}

/// <summary>Every frequency divided by the factor (position interpolation, arXiv:2306.15595).</summary>
public sealed record LinearRotaryScaling(double Factor) : RotaryScaling(AtLeastOne(Factor))
{
    internal override float Scale(float frequency) => frequency / (float)Factor;
}

/// <summary>Llama 3.1's: slow frequencies divided by the factor, fast ones kept, those between blended (arXiv:2407.21783 section 3.4, and Llama's published code).</summary>
/// <param name="Factor">As in <see cref="RotaryScaling"/>.</param>
/// <param name="LowFrequencyFactor">Wavelengths above OriginalLength / this are stretched fully.</param>
/// <param name="HighFrequencyFactor">Wavelengths below OriginalLength / this stay; above <paramref name="LowFrequencyFactor"/>.</param>
/// <param name="OriginalLength">Longest sequence of the training before, in tokens.</param>
public sealed record Llama3RotaryScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, double OriginalLength) : RotaryScaling(AtLeastOne(Factor))
{
    /// <summary>Checks how the values fit together.</summary>
    /// <exception cref="ArgumentException">The bounds are not in order, or a value is not positive.</exception>
    public void Validate()
    {
        if (!(LowFrequencyFactor > 0 && HighFrequencyFactor > LowFrequencyFactor && OriginalLength > 0))
        {
            throw new ArgumentException(
                $"rotary scaling: high_freq_factor must be above low_freq_factor and all be positive, got {HighFrequencyFactor}, {LowFrequencyFactor} and original_max_position_embeddings {OriginalLength}");
        }
    }

    internal override float Scale(float frequency)
    {
        float wavelength = (float)(2 * Math.PI) / frequency, original = (float)OriginalLength;
        if (wavelength < (float)(OriginalLength / HighFrequencyFactor))
            return frequency;
        if (wavelength > (float)(OriginalLength / LowFrequencyFactor))
            return frequency / (float)Factor;
        float smooth = (original / wavelength - (float)LowFrequencyFactor) / (float)(HighFrequencyFactor - LowFrequencyFactor);
        return (1 - smooth) * frequency / (float)Factor + smooth * frequency;
    }
}
