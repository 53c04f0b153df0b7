using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>What one rank updates of a parameter, with the optimizer's state for it: all of it, or the part in the rank's slice.</summary>
/// <param name="First">The piece's first element, row-major.</param>
/// <param name="Count">Its elements.</param>
internal sealed record ParameterPiece(ClippedParameter Parameter, long First, long Count) : IDisposable
{
    public Tensor? Moment { get; private set; }

    public Tensor? SecondMoment { get; private set; }

    /// <summary>Makes the state, zeros of the parameter's type.</summary>
    public void Keep(bool moment, bool second)
    {
        (Moment, SecondMoment) = (moment ? Zeros() : null, second ? Zeros() : null);

        Tensor Zeros() => zeros([Count], Parameter.Parameter.dtype, Parameter.Parameter.device).DetachFromDisposeScope();
    }

    /// <summary>Its weights, [Count], a view.</summary>
    public Tensor Weights() => Of(Parameter.Parameter.detach());

    /// <summary>Its part of the sums, [Count], a view; null where there are none.</summary>
    public Tensor? Sums() => Parameter.Gradient is { } sums ? Of(sums) : null;

    public void Dispose()
    {
        Moment?.Dispose();
        SecondMoment?.Dispose();
    }

    private Tensor Of(Tensor whole) => whole.view(-1).narrow(0, First, Count);
}
