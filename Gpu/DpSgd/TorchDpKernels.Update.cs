using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

public partial class TorchDpKernels
{
    private const int ChunkElements = 1 << 20, PieceElements = 1 << 14;

    /// <inheritdoc/>
    /// <remarks>In chunks: the noise of a million elements at a time is drawn on the host and carried to the device.</remarks>
    public virtual void Update(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise)
    {
        if (step.Optimizer == DpOptimizer.AdamW && (moment is null || secondMoment is null))
            throw new ArgumentException("AdamW keeps two moments; one is missing");
        if (step.Optimizer == DpOptimizer.Sgd && step.Momentum != 0 && moment is null)
            throw new ArgumentException("SGD with momentum keeps a moment; it is missing");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var flat = parameter.detach().view(-1);
        var buffer = noise.StdDev == 0 ? [] : new float[Math.Min(ChunkElements, flat.numel())];
        for (long first = 0; first < flat.numel(); first += ChunkElements)
        {
            using var chunkScope = NewDisposeScope();
            long count = Math.Min(ChunkElements, flat.numel() - first);
            var type = AtLeastFloat(parameter);
            Tensor? Part(Tensor? whole) => whole?.view(-1).narrow(0, first, count);
            var d = gradient is null ? zeros([count], type, parameter.device) : Part(gradient)!.to_type(type, copy: true);
            if (noise.StdDev != 0)
            {
                Draw(buffer.AsMemory(0, (int)count), noise, first);
                d.add_(tensor(buffer.AsMemory(0, (int)count), [count]).to(type, parameter.device), alpha: noise.StdDev);
            }
            Apply(Part(flat)!, d.mul_(step.GradientScale), Part(moment), Part(secondMoment), step);
        }
    }

    private static void Apply(Tensor parameter, Tensor d, Tensor? moment, Tensor? secondMoment, in OptimizerStep step)
    {
        var p = parameter.to_type(d.dtype);
        if (step.Optimizer == DpOptimizer.Sgd)
        {
            if (step.WeightDecay != 0)
                d.add_(p, alpha: step.WeightDecay);
            if (step.Momentum != 0)
            {
                d.add_(moment!.to_type(d.dtype), alpha: step.Momentum);
                moment.copy_(d);
            }
            parameter.copy_(p.add(d, alpha: -step.LearningRate));
            return;
        }
        var m = moment!.to_type(d.dtype).mul(step.Beta1).add_(d, alpha: 1 - step.Beta1);
        var v = secondMoment!.to_type(d.dtype).mul(step.Beta2).add_(d * d, alpha: 1 - step.Beta2);
        moment.copy_(m);
        secondMoment.copy_(v);
        var change = (m / step.Correction1).div_((v / step.Correction2).sqrt_().add_(step.Epsilon));
        parameter.copy_(p.mul(1 - step.LearningRate * step.WeightDecay).add_(change, alpha: -step.LearningRate));
    }

    private static void Draw(Memory<float> draws, NoiseDraw noise, long first)
    {
        int pieces = (draws.Length + PieceElements - 1) / PieceElements;
        Parallel.For(0, pieces, piece =>
        {
            int at = piece * PieceElements;
            CounterNoise.Fill(draws.Span.Slice(at, Math.Min(PieceElements, draws.Length - at)), noise, first + at);
        });
    }
}
