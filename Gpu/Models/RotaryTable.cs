using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>Rotary position embeddings (arXiv:2104.09864) in Hugging Face's convention: dimension i turns with i + HS/2.</summary>
/// <remarks>
/// The angles are computed in float32, as transformers does, so that long positions round alike. The table grows as longer
/// sequences come: that of a model that reaches 131,072 positions would take 134 MB and a second from the start.
/// </remarks>
public sealed class RotaryTable : IDisposable
{
    private const int FirstLength = 512;

    private readonly float[] _frequencies; // of the HS / 2 pairs
    private readonly Device _device;
    private readonly ScalarType _type;
    private Tensor _cos; // [length so far, HS]
    private Tensor _sin;

    /// <summary>Positions from 0 that there can be.</summary>
    public int Length { get; }

    internal RotaryTable(LlamaConfig config, Device device, ScalarType type)
    {
        Length = config.MaxLength;
        (_device, _type) = (device, type);
        _frequencies = [.. Enumerable.Range(0, config.HeadSize / 2).Select(i => Frequency(config, i))];
        (_cos, _sin) = Build(Math.Min(FirstLength, Length));
    }

    /// <summary>Cosines and sines of positions 0..T-1, each [T, HS]; the caller owns both.</summary>
    public (Tensor Cos, Tensor Sin) Leading(long count)
    {
        if (count > Length)
            throw new ArgumentException($"a sequence must have at most MaxLength = {Length} tokens, got {count}");
        Reach(count);
        return (_cos.narrow(0, 0, count), _sin.narrow(0, 0, count));
    }

    /// <summary>Cosines and sines at <paramref name="positions"/> (int64, any shape S), each [S, HS]; the caller owns both.</summary>
    /// <param name="positions">Each below <paramref name="end"/> and <see cref="Length"/>.</param>
    /// <param name="end">A bound that the caller knows: to look for the largest position would wait for the device.</param>
    public (Tensor Cos, Tensor Sin) At(Tensor positions, long end)
    {
        Reach(Math.Min(end, Length));
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

    private static float Frequency(LlamaConfig config, int pair)
    {
        float frequency = 1f / MathF.Pow((float)config.RopeTheta, 2f * pair / config.HeadSize);
        frequency = config.RotaryScaling?.Scale(frequency) ?? frequency;
        return config.RotaryType switch
        {
            ScalarType.BFloat16 => RoundToBFloat16(frequency),
            ScalarType.Float16 => (float)(Half)frequency,
            _ => frequency,
        };
    }

    // To the nearest of 8 significant bits, ties to even.
    private static float RoundToBFloat16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }

    private void Reach(long count)
    {
        if (count <= _cos.shape[0])
            return;
        var (cos, sin) = Build((int)Math.Min(Length, Math.Max(count, 2 * _cos.shape[0])));
        Dispose();
        (_cos, _sin) = (cos, sin);
    }

    private (Tensor Cos, Tensor Sin) Build(int length)
    {
        int half = _frequencies.Length, headSize = 2 * half;
        var cosines = new float[length * headSize];
        var sines = new float[length * headSize];
        for (int i = 0; i < half; i++)
        {
            for (int t = 0; t < length; t++)
            {
                var (sine, cosine) = MathF.SinCos(t * _frequencies[i]);
                int at = t * headSize + i;
                cosines[at] = cosines[at + half] = cosine;
                sines[at] = sines[at + half] = sine;
            }
        }
        return (Table(cosines, length, headSize), Table(sines, length, headSize));
    }

    private Tensor Table(float[] values, int length, int headSize)
    {
        using var ordinary = inference_mode(false); // a table that generation made must serve training too
        using var scope = NewDisposeScope();
        return tensor(values, [length, headSize]).to(_type, _device).DetachFromDisposeScope();
    }
}
