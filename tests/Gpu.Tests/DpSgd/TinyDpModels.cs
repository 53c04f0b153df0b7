using Chorus.Gpu.DpSgd;
using Chorus.Gpu.DpSgd.References;
using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Small models whose every parameter matters, and samples that are hard on per-sample gradients.</summary>
internal static class TinyDpModels
{
    internal const int Vocabulary = 23, Length = 9;

    /// <summary>Full length, shorter, with a token again and again, one target, no target.</summary>
    internal static readonly int[][] Samples =
    [
        [1, 5, 9, 13, 17, 21, 2, 6, 10, 14], [3, 7, 11, 15, 19], [4, 4, 4, 8, 4, 4, 8, 4, 4, 4], [20, 1], [12],
    ];

    internal static CausalModel New(string kind, ScalarType type = ScalarType.Float64, ulong seed = 3, Device? device = null)
    {
        var weights = new WideWeights(seed, type, device ?? CPU);
        return kind switch
        {
            "gpt2" => new Gpt2Model(Gpt2(tied: true), weights),
            "gpt2-untied" => new Gpt2Model(Gpt2(tied: false), weights),
            "gpt2-even" => new Gpt2Model(Gpt2(tied: true) with { HiddenSize = 32 }, weights),
            "llama" => new LlamaModel(Llama(tied: false), weights),
            "llama-even" => new LlamaModel(Llama(tied: false) with { HiddenSize = 32, IntermediateSize = 48, KeyValueHeads = 1 }, weights),
            "llama-tied-bias" => new LlamaModel(Llama(tied: true) with { AttentionBias = true, MlpBias = true, KeyValueHeads = 1 }, weights),
            _ => throw new ArgumentException(kind),
        };
    }

    private static Gpt2Config Gpt2(bool tied) => new() { VocabularySize = Vocabulary, HiddenSize = 12, Layers = 2, Heads = 2, MaxLength = 16, TieEmbeddings = tied };

    private static LlamaConfig Llama(bool tied) => new() { VocabularySize = Vocabulary, HiddenSize = 12, IntermediateSize = 20, Layers = 2, Heads = 2, MaxLength = 16, TieEmbeddings = tied };

    /// <summary>The clipped sums of the given samples by one of the methods, by parameter, float64.</summary>
    internal static Dictionary<string, Tensor> Sums(
        PrivateGradients source, CausalModel model, IReadOnlyList<int[]> samples, SampleLossKind loss = SampleLossKind.Mean, int microBatch = 3)
    {
        foreach (var part in samples.Chunk(microBatch))
        {
            var batch = SampleBatch.Of(part, Length, model.Device);
            source.Accumulate(batch.Batch, batch.Lengths, () => batch.Losses(model, loss)).Dispose();
        }
        return source.Parameters.ToDictionary(p => p.Name, p => p.Gradient!.to_type(ScalarType.Float64, copy: true));
    }

    /// <summary>The same by loops over samples and groups.</summary>
    internal static Dictionary<string, Tensor> Expected(
        CausalModel model, IReadOnlyList<ClippedParameter> parameters, IEnumerable<(IReadOnlyList<ClippedParameter> Parameters, double Threshold)> groups, IReadOnlyList<int[]> samples,
        ClipRule rule, SampleLossKind loss = SampleLossKind.Mean)
    {
        var gradients = Gradients(model, parameters, samples, loss);
        var at = parameters.Select((p, i) => (p, i)).ToDictionary(p => p.p, p => p.i);
        var sums = new Dictionary<string, Tensor>();
        foreach (var (members, threshold) in groups)
        {
            var clipped = PlainSampleGradients.ClippedSum([.. gradients.Select(g => members.Select(p => g[at[p]]).ToArray())], threshold, rule);
            foreach (var (parameter, sum) in members.Zip(clipped))
                sums[parameter.Name] = sum;
        }
        return sums;
    }

    internal static Tensor[][] Gradients(CausalModel model, IReadOnlyList<ClippedParameter> parameters, IReadOnlyList<int[]> samples, SampleLossKind loss = SampleLossKind.Mean) =>
        PlainSampleGradients.Of([.. parameters.Select(p => p.Parameter)], samples.Count, b => SampleBatch.Of([samples[b]], Length, model.Device).Losses(model, loss).sum());

    internal static double Norm(this IEnumerable<Tensor> tensors) => Math.Sqrt(tensors.Sum(t => t.to_type(ScalarType.Float64).square().sum().item<double>()));

    internal static void AssertClose(IReadOnlyDictionary<string, Tensor> expected, IReadOnlyDictionary<string, Tensor> actual, double tolerance)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        double whole = expected.Values.Norm();
        foreach (var (name, e) in expected)
        {
            double error = new[] { e - actual[name] }.Norm();
            // Relative to the parameter's own sum; one that is nearly zero, to the whole.
            Assert.True(error <= tolerance * Math.Max(new[] { e }.Norm(), 1e-3 * whole), $"{name}: off by {error} of {new[] { e }.Norm()}");
        }
    }

    // Norms' weights are not 1, and biases not 0.
    internal sealed class WideWeights(ulong seed, ScalarType type, Device device) : WeightSource(device, type)
    {
        private readonly Generator _generator = new(seed, CPU);

        public override Tensor Matrix(long rows, long columns) => (randn([rows, columns], ScalarType.Float64, generator: _generator) * 0.4).to(Type, Device).DetachFromDisposeScope();

        public override Tensor Vector(long size, double value) => (randn([size], ScalarType.Float64, generator: _generator) * 0.2 + value).to(Type, Device).DetachFromDisposeScope();

        public override void Dispose() => _generator.Dispose();
    }

    internal static void Freeze(IEnumerable<Parameter> parameters)
    {
        foreach (var parameter in parameters)
            parameter.requires_grad = false;
    }
}
