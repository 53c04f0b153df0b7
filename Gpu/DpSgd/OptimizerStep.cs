namespace Chorus.Gpu.DpSgd;

/// <summary>The optimizers that add their noise themselves.</summary>
public enum DpOptimizer
{
    /// <summary>m = Momentum m + d + WeightDecay p (m = d + WeightDecay p without momentum); p -= LearningRate m.</summary>
    Sgd,

    /// <summary>p *= 1 - LearningRate WeightDecay; m = Beta1 m + (1 - Beta1) d; v = Beta2 v + (1 - Beta2) d^2; p -= LearningRate (m / Correction1) / (sqrt(v / Correction2) + Epsilon) (arXiv:1711.05101).</summary>
    AdamW,
}

/// <summary>The numbers of one optimizer step, the same for all parameters.</summary>
/// <param name="Optimizer">Which formula; d is the noised gradient times <paramref name="GradientScale"/>.</param>
/// <param name="LearningRate">Of this step.</param>
/// <param name="GradientScale">1 / expected batch: public, never the realised size.</param>
/// <param name="WeightDecay">As the formulas say.</param>
/// <param name="Momentum">SGD's.</param>
/// <param name="Beta1">AdamW's.</param>
/// <param name="Beta2">AdamW's.</param>
/// <param name="Epsilon">AdamW's.</param>
/// <param name="Correction1">1 - Beta1^t at step t, counted from 1, of the float32 Beta1: 1 - 0.999 is 5e-5 off in float32, which so cancels.</param>
/// <param name="Correction2">1 - Beta2^t.</param>
public readonly record struct OptimizerStep(
    DpOptimizer Optimizer, float LearningRate, float GradientScale, float WeightDecay, float Momentum, float Beta1, float Beta2, float Epsilon, float Correction1, float Correction2)
{
    /// <summary>The step <paramref name="t"/> (from 1) of an optimizer; the corrections follow.</summary>
    public static OptimizerStep Of(DpOptimizer optimizer, long t, double learningRate, double gradientScale, double weightDecay, double momentum, double beta1, double beta2, double epsilon) => new(
        optimizer, (float)learningRate, (float)gradientScale, (float)weightDecay, (float)momentum, (float)beta1, (float)beta2, (float)epsilon,
        (float)(1 - Math.Pow((float)beta1, t)), (float)(1 - Math.Pow((float)beta2, t)));
}

/// <summary>Which noise a parameter gets in a step.</summary>
/// <param name="Key">Of the run: 64 bits that whoever reads the releases must not know.</param>
/// <param name="Step">Of the run, from 0.</param>
/// <param name="Parameter">The parameter's index in the run.</param>
/// <param name="StdDev">Standard deviation of the noise on the sum of clipped gradients: sigma C. 0 adds none and draws none.</param>
/// <param name="First">The parameter's element that the update begins with, where it is of a part of the parameter: a multiple of 4.</param>
public readonly record struct NoiseDraw(ulong Key, uint Step, uint Parameter, float StdDev, long First = 0);
