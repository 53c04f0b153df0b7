using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Tests.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

[Collection(TorchCollection.Name)]
public class RecordedMicroBatchesTests
{
    [GpuFact(8)]
    public void Given_steps_of_several_micro_batches_When_they_are_recorded_Then_weights_and_losses_have_the_bits_of_plain_steps()
    {
        var random = new Random(3);
        int[][] examples = [.. Enumerable.Range(0, 40).Select(_ => Enumerable.Range(0, 65).Select(_ => random.Next(256)).ToArray())];
        (double[] Weights, double Loss) Trained(DpMethod method, StepRecording recording)
        {
            using var model = NamedShapes.Create("tiny", null, CUDA, ScalarType.BFloat16, 7);
            foreach (var parameter in model.parameters().Where(p => p.dim() < 2 || p.size(0) == 256))
                parameter.requires_grad = false; // an embedding's sums are scattered in any order
            using var trainer = new DpSgdTrainer(model, null, examples, new DpSgdSettings
            {
                Method = method,
                NoiseMultiplier = method == DpMethod.None ? 0 : 0.5,
                Sampling = ExampleSampling.FixedSize,
                LogicalBatch = 10,
                PhysicalBatch = 4,
                SequenceLength = 64,
                LearningRate = 0.05,
                Momentum = 0.9,
                Seed = 11,
                Recording = recording,
            });
            for (int i = 0; i < 12; i++)
                trainer.Step();
            return ([.. model.parameters().Select(p => p.to_type(ScalarType.Float64).square().sum().cpu().item<double>())], trainer.Report().Loss);
        }
        foreach (var method in new[] { DpMethod.None, DpMethod.Fused })
        {
            var (plain, recorded) = (Trained(method, StepRecording.Off), Trained(method, StepRecording.On));
            Assert.Equal(plain.Weights, recorded.Weights);
            Assert.Equal(plain.Loss, recorded.Loss);
        }
    }
}
