using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd.References;

/// <summary>Per-sample gradients by ordinary autograd, one sample at a time: what every other way is compared with. It knows no rule and no layer.</summary>
public static class PlainSampleGradients
{
    /// <summary>The gradients of each sample's loss: [sample][parameter], float64, which the caller owns.</summary>
    /// <param name="samples">How many.</param>
    /// <param name="loss">One sample's loss, by its index, from a model that computes it alone.</param>
    public static Tensor[][] Of(IReadOnlyList<Parameter> parameters, int samples, Func<int, Tensor> loss)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(loss);
        var all = new Tensor[samples][];
        for (int b = 0; b < samples; b++)
        {
            using var scope = NewDisposeScope();
            foreach (var parameter in parameters)
                parameter.grad = null;
            loss(b).backward();
            all[b] = [.. parameters.Select(p => (p.grad?.to_type(ScalarType.Float64, copy: true) ?? zeros(p.shape, ScalarType.Float64, p.device)).DetachFromDisposeScope())];
        }
        foreach (var parameter in parameters)
            parameter.grad = null;
        return all;
    }

    /// <summary>The sum over samples of min(1, C / norm) times the gradient, for one set of parameters that is normed as one.</summary>
    /// <param name="gradients">As <see cref="Of"/> gives them, for the parameters of one group.</param>
    /// <returns>One sum for each parameter; a sample that is not finite adds nothing.</returns>
    public static Tensor[] ClippedSum(IReadOnlyList<IReadOnlyList<Tensor>> gradients, double threshold, ClipRule rule = ClipRule.Threshold)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        var sums = gradients[0].Select(g => zeros_like(g)).ToArray();
        foreach (var sample in gradients)
        {
            double norm = Math.Sqrt(sample.Sum(g => g.square().sum().item<double>()));
            if (!double.IsFinite(norm))
                continue;
            double weight = rule == ClipRule.AutoS ? threshold / (norm + 0.01) : Math.Min(1, threshold / norm);
            for (int i = 0; i < sums.Length; i++)
                sums[i].add_(sample[i] * weight);
        }
        return sums;
    }
}
