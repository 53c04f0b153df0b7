using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>Where a model under construction gets its first weights from.</summary>
internal abstract class WeightSource(Device device, ScalarType type) : IDisposable
{
    protected const double InitialStdDev = 0.02;

    public Device Device => device;

    public ScalarType Type => type;

    /// <summary>A matrix of the given shape.</summary>
    public abstract Tensor Matrix(long rows, long columns);

    /// <summary>A vector that trained models start at <paramref name="value"/>.</summary>
    public virtual Tensor Vector(long size, double value) => full(size, value, type, device).DetachFromDisposeScope();

    /// <summary>A parameter that no dispose scope holds.</summary>
    public static Parameter Owned(Tensor values) => (Parameter)new Parameter(values).DetachFromDisposeScope();

    public virtual void Dispose()
    {
    }
}

/// <summary>normal(0, 0.02), float32, drawn on the CPU by one generator: one seed gives one model on any device.</summary>
internal sealed class SeededWeights(ulong seed, Device device) : WeightSource(device, ScalarType.Float32)
{
    private readonly Generator _generator = new(seed, CPU);

    public override Tensor Matrix(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        return randn([rows, columns], generator: _generator).mul_(InitialStdDev).to(Device).DetachFromDisposeScope();
    }

    public override void Dispose() => _generator.Dispose();
}

/// <summary>Memory without values, for a loader to fill.</summary>
internal sealed class UnsetWeights(Device device, ScalarType type) : WeightSource(device, type)
{
    public override Tensor Matrix(long rows, long columns) => empty([rows, columns], dtype: Type, device: Device).DetachFromDisposeScope();

    public override Tensor Vector(long size, double value) => empty([size], dtype: Type, device: Device).DetachFromDisposeScope();
}

/// <summary>normal(0, 0.02) drawn on the device itself in the wanted type, for benchmarks: fast, and another model on another device.</summary>
internal sealed class DeviceWeights(Device device, ScalarType type) : WeightSource(device, type)
{
    public override Tensor Matrix(long rows, long columns)
    {
        using var noGrad = no_grad();
        return empty([rows, columns], dtype: Type, device: Device).normal_(0, InitialStdDev).DetachFromDisposeScope();
    }
}
