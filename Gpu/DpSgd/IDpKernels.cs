// Shapes: B samples, T time, P inputs, D outputs, V vocabulary, C channels
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>How the norm of a per-sample gradient G^T X is found.</summary>
public enum NormMethod
{
    /// <summary>The one that takes fewer multiplications for the shape.</summary>
    Auto,

    /// <summary>From X X^T and G G^T, both [T, T]: T^2 (P + D) / 2 multiplications by symmetry.</summary>
    Gram,

    /// <summary>From G^T X itself, [D, P], made in tiles: T P D multiplications.</summary>
    Direct,

    /// <summary>From G^T X itself, which is kept and weighed afterwards in place of a second product: B P D numbers of memory for a moment. Where they are not to be had, as Auto.</summary>
    Kept,
}

/// <summary>How a sample's weight follows from its norm n and the threshold C of its group.</summary>
public enum ClipRule
{
    /// <summary>min(1, C / n) (arXiv:1607.00133).</summary>
    Threshold,

    /// <summary>C / (n + 0.01): every sample is scaled to just below C (AUTO-S, arXiv:2206.07136).</summary>
    AutoS,
}

/// <summary>What computes the sums of DP-SGD on one kind of device; <see cref="TorchDpKernels"/> is the plain one.</summary>
/// <remarks>
/// No member reads a device's memory back: all results stay there, so that a backward pass never waits.
/// Tensors are contiguous unless it says otherwise. A result is a fresh tensor that the caller owns. Members are called inside a
/// dispose scope, without gradients, on whatever thread autograd runs.
/// x and g are float32, bfloat16 or float16 (float64 in tests); factors and norms are float32 [B].
/// </remarks>
public interface IDpKernels
{
    /// <summary>Upper bounds on |[G1 G2 ...]_b^T X_b|_F^2, with sum_t g_t's square beside it where there is a bias: float32 [B].</summary>
    /// <remarks>
    /// What is bounded is the value in exact arithmetic of the numbers that x and g hold. The result is at least that, up to the
    /// last bit of float32 (the clip factors cover 2^-20), whatever errors the method makes; it is meant to be within 1e-3 of
    /// it. NaN or infinity in a sample, or a square beyond float32, gives NaN or infinity for that sample alone.
    /// </remarks>
    /// <param name="x">[B, T, P].</param>
    /// <param name="outputGradients">One or more [B, T, Di], all of layers that read x: their squares add up.</param>
    /// <param name="bias">Whether these layers have biases too: as if x had one more column, of ones.</param>
    /// <param name="lengths">int32 [B]: the rows from there on are zero in every g and need no reading; null: all T count.</param>
    /// <param name="method">Forces a method, for tests and measurements.</param>
    Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> outputGradients, bool bias, Tensor? lengths, NormMethod method);

    /// <summary>Whether the samples' products G_b^T X_b are to be made once and kept, for norm and sum both, where the sum follows at once.</summary>
    bool Keeps(Tensor x, IReadOnlyList<Tensor> outputGradients, NormMethod method);

    /// <summary>G_b^T X_b of each sample, rounded to x's type: [B, D P]. What is kept is normed and summed as it is, so its rounding costs no privacy.</summary>
    /// <param name="g">[B, T, D]; it may be a part of wider rows.</param>
    Tensor SampleProducts(Tensor x, Tensor g);

    /// <summary>For each product, sum = (accumulate ? sum : 0) + sum_b factors_b G_b^T X_b.</summary>
    /// <remarks>A sample with factor 0 adds exactly nothing, even where x or g hold NaN. Other samples' x and g are left as they are: g is read again by the layers before.</remarks>
    /// <param name="x">[B, T, P].</param>
    /// <param name="products">g [B, T, D'], D' at least D and zero from there on; sum [D, P] of any floating-point type, not set before where it is not accumulated to.</param>
    void AddWeightedGradients(Tensor x, IReadOnlyList<(Tensor G, Tensor Sum, bool Accumulate)> products, Tensor factors);

    /// <summary>gradient [D] = (accumulate ? gradient : 0) + sum_b factors_b sum_t g_bt; the same of samples with factor 0.</summary>
    void AddWeightedBias(Tensor g, Tensor factors, Tensor gradient, bool accumulate);

    /// <summary>Upper bounds on an embedding's squared per-sample gradients, where a token that is repeated in a sample adds up before it is squared.</summary>
    /// <param name="ids">int64 [B, T].</param>
    /// <param name="g">[B, T, C].</param>
    Tensor EmbeddingSquaredNormBounds(Tensor ids, Tensor g);

    /// <summary>gradient [V, C], already set, += factors_b g_bt in row ids_bt, for all b and t.</summary>
    void AddWeightedEmbedding(Tensor ids, Tensor g, Tensor factors, Tensor gradient);

    /// <summary>Upper bounds on 2 &lt;L_b^T H_b, E_b^T D_b&gt;: what a matrix used as head and as embedding adds to the sum of the two squares.</summary>
    /// <param name="headGradients">dlogits, L, [B, T, V].</param>
    /// <param name="hidden">What the head read, H, [B, T, C].</param>
    /// <param name="ids">int64 [B, T], of which E is the one-hot form.</param>
    /// <param name="embeddingGradients">D, [B, T, C].</param>
    Tensor TiedCrossBounds(Tensor headGradients, Tensor hidden, Tensor ids, Tensor embeddingGradients);

    /// <summary>The gradients of a norm layer: dx, and each sample's dweight and dbias.</summary>
    /// <param name="x">What the layer read, [B, T, C].</param>
    /// <param name="weight">[C].</param>
    /// <param name="g">[B, T, C].</param>
    /// <param name="epsilon">As in the forward pass.</param>
    /// <param name="centred">LayerNorm (and then a dbias) if true, RMSNorm if false.</param>
    /// <returns>dx like x; dweight and dbias float32 [B, C], dbias null for RMSNorm.</returns>
    (Tensor Input, Tensor Weight, Tensor? Bias) NormBackward(Tensor x, Tensor weight, Tensor g, double epsilon, bool centred);

    /// <summary>Upper bounds on the squared norms of per-sample gradients that are there as they are, over several [B, Ni], contiguous, together: float32 [B].</summary>
    Tensor RowSquaredNorms(params IReadOnlyList<Tensor> rows);

    /// <summary>For each matrix of rows [B, N], sum [N] = (accumulate ? sum : 0) + sum_b factors_b rows_b; a sample with factor 0 adds exactly nothing.</summary>
    void AddWeightedRows(IReadOnlyList<(Tensor Rows, Tensor Sum, bool Accumulate)> matrices, Tensor factors);

    /// <summary>Weights of the samples for a threshold.</summary>
    /// <remarks>
    /// The weight is such that weight times the square root of the bound is at most the threshold, 2^-20 below it to cover the
    /// rounding of root and quotient. A bound that is NaN or infinite gives 0, and sets that sample's flag.
    /// </remarks>
    /// <param name="squaredNormBounds">float32 [B].</param>
    /// <param name="threshold">C of the group, above 0.</param>
    /// <param name="notFinite">uint8 [B], set to 1 where the bound is not finite, else left.</param>
    /// <returns>float32 [B].</returns>
    Tensor ClipFactors(Tensor squaredNormBounds, double threshold, ClipRule rule, Tensor notFinite);

    /// <summary>One step of an optimizer on one parameter, with the noise added to its gradient on the way: no noise tensor is stored.</summary>
    /// <remarks>
    /// With z(e) the draw of <see cref="CounterNoise"/> for element noise.First + e, the optimizer sees d = (gradient + noise.StdDev z) step.GradientScale.
    /// All arithmetic is float32 whatever the types stored (float64 for a float64 parameter); see <see cref="OptimizerStep"/> for the formulas.
    /// </remarks>
    /// <param name="parameter">Contiguous, changed in place.</param>
    /// <param name="gradient">Of the parameter's shape; null is zero: a batch that came out empty still gets its noise.</param>
    /// <param name="moment">Momentum of SGD or first moment of AdamW, of any floating-point type; null where the optimizer has none.</param>
    /// <param name="secondMoment">Second moment of AdamW; null where the optimizer has none.</param>
    void Update(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise);
}
