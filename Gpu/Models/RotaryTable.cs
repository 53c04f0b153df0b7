using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>Rotary position embeddings (arXiv:2104.09864) in Hugging Face's convention: dimension i turns with i + HS/2.</summary>
/// <remarks>The angles are computed in float32, as transformers does, so that long positions round alike.</remarks>
public sealed class RotaryTable : IDisposable
{
    private readonly Tensor _cos;
    private readonly Tensor _sin;

    /// <summary>Positions from 0 that the table covers.</summary>
    public int Length { get; }

    internal RotaryTable(int length, int headSize, double theta, Device device)
    {
        Length = length;
        int half = headSize / 2;
        var cosines = new float[length * headSize];
        var sines = new float[length * headSize];
        for (int i = 0; i < half; i++)
        {
            float frequency = 1f / MathF.Pow((float)theta, 2f * i / headSize);
            for (int t = 0; t < length; t++)
            {
                var (sine, cosine) = MathF.SinCos(t * frequency);
                int at = t * headSize + i;
                cosines[at] = cosines[at + half] = cosine;
                sines[at] = sines[at + half] = sine;
            }
        }
        _cos = Table(cosines, length, headSize, device);
        _sin = Table(sines, length, headSize, device);
    }

    /// <summary>Cosines and sines of positions 0..T-1, each [T, HS]; the caller owns both.</summary>
    public (Tensor Cos, Tensor Sin) Leading(long count)
    {
        Check(count - 1);
        return (_cos.narrow(0, 0, count), _sin.narrow(0, 0, count));
    }

    /// <summary>Cosines and sines at <paramref name="positions"/> (int64, any shape S), each [S, HS]; the caller owns both.</summary>
    public (Tensor Cos, Tensor Sin) At(Tensor positions)
    {
        using var scope = NewDisposeScope();
        long[] shape = [.. positions.shape, _cos.shape[1]];
        var flat = positions.reshape(-1);
        return (_cos.index_select(0, flat).view(shape).MoveToOuterDisposeScope(),
            _sin.index_select(0, flat).view(shape).MoveToOuterDisposeScope());
    }

    /// <summary>x [..., HS] turned by cosines and sines that broadcast against it; the caller owns the result.</summary>
    public static Tensor Turn(Tensor x, Tensor cos, Tensor sin)
    {
        using var scope = NewDisposeScope();
        long half = x.shape[^1] / 2;
        var turned = cat([x.narrow(-1, half, half).neg(), x.narrow(-1, 0, half)], -1);
        return (x * cos).add_(turned.mul_(sin)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _cos.Dispose();
        _sin.Dispose();
    }

    private void Check(long last)
    {
        if (last >= Length)
            throw new ArgumentException($"a sequence must have at most MaxLength = {Length} tokens, got {last + 1}");
    }

    private static Tensor Table(float[] values, int length, int headSize, Device device)
    {
        using var scope = NewDisposeScope();
        return tensor(values, [length, headSize]).to(device).DetachFromDisposeScope();
    }
}
