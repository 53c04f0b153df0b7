// Shapes: T time, P inputs, D outputs
namespace Chorus.Gpu.DpSgd;

/// <summary>Multiplications that the norm of one sample's gradient takes, counted from the shape alone.</summary>
public static class NormCost
{
    /// <summary>The method to use: the one asked for, or the cheaper.</summary>
    /// <param name="symmetric">Whether the Gram method makes only one half of its two matrices.</param>
    public static NormMethod Choose(NormMethod method, long time, long inSize, long outSize, bool symmetric) =>
        method != NormMethod.Auto ? method
        : Gram(time, inSize, outSize, symmetric) <= Direct(time, inSize, outSize) ? NormMethod.Gram : NormMethod.Direct;

    /// <summary>T^2 (P + D), or T (T + 1) / 2 (P + D) where only one half is made.</summary>
    public static double Gram(double time, double inSize, double outSize, bool symmetric) => (symmetric ? time * (time + 1) / 2 : time * time) * (inSize + outSize);

    /// <summary>T P D.</summary>
    public static double Direct(double time, double inSize, double outSize) => time * inSize * outSize;
}
