// Shapes: T time, P inputs, D outputs
namespace Chorus.Gpu.DpSgd;

/// <summary>Multiplications that the norm of one sample's gradient takes, counted from the shape alone.</summary>
public static class NormCost
{
    // A byte read or written takes a GPU as long as so many multiplications of its tensor cores (A100: 75, H100: 165, at the rates of their data sheets; half of that is reached).
    private const double MultiplicationsOfByte = 100;

    // Kept products are written, normed while most of them are still in the cache, and read once more to be summed.
    private const double PassesOfKept = 2.5;

    /// <summary>The method to use: the one asked for, or the cheaper.</summary>
    /// <param name="symmetric">Whether the Gram method makes only one half of its two matrices.</param>
    public static NormMethod Choose(NormMethod method, long time, long inSize, long outSize, bool symmetric) =>
        method is NormMethod.Gram or NormMethod.Direct ? method
        : Gram(time, inSize, outSize, symmetric) <= Direct(time, inSize, outSize) ? NormMethod.Gram : NormMethod.Direct;

    /// <summary>T^2 (P + D), or T (T + 1) / 2 (P + D) where only one half is made.</summary>
    public static double Gram(double time, double inSize, double outSize, bool symmetric) => (symmetric ? time * (time + 1) / 2 : time * time) * (inSize + outSize);

    /// <summary>What moving P D numbers costs, in multiplications: the product itself takes the place of the one that the sum would need.</summary>
    public static double Kept(double inSize, double outSize, int bytes) => PassesOfKept * bytes * MultiplicationsOfByte * inSize * outSize;

    /// <summary>T P D.</summary>
    public static double Direct(double time, double inSize, double outSize) => time * inSize * outSize;
}
