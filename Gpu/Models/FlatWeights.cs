using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>A model's weights as one vector: its parameters in their order, each row-major, in float32. A matrix that two layers share comes once.</summary>
public static class FlatWeights
{
    /// <summary>How many weights there are.</summary>
    public static long Count(CausalModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var scope = NewDisposeScope();
        return model.parameters().Sum(p => p.numel());
    }

    /// <summary>Copies the weights out.</summary>
    /// <returns>A new array.</returns>
    public static float[] Read(CausalModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return Join(model.parameters());
    }

    /// <summary>Copies weights in.</summary>
    /// <param name="weights">As <see cref="Read"/> gives them.</param>
    /// <exception cref="ArgumentException">There are more or fewer.</exception>
    public static void Write(CausalModel model, ReadOnlySpan<float> weights)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var parameters = model.parameters().ToArray();
        if (parameters.Sum(p => p.numel()) != weights.Length)
            throw new ArgumentException($"the model has {parameters.Sum(p => p.numel())} weights, got {weights.Length}");
        int at = 0;
        foreach (var parameter in parameters)
        {
            int count = (int)parameter.numel();
            parameter.copy_(tensor(weights.Slice(at, count).ToArray(), parameter.shape));
            at += count;
        }
    }

    /// <summary>Tensors end to end, in float32 on the host; to be called in a dispose scope.</summary>
    internal static float[] Join(IEnumerable<Tensor> tensors) =>
        cat([.. tensors.Select(t => t.detach().reshape(-1).to_type(ScalarType.Float32))]).cpu().data<float>().ToArray();
}
