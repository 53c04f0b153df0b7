using Chorus.Actors.Training;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.DpSgd;

namespace Chorus.Actors.Tests.Training;

public sealed class TrainingPlanTests
{
    [Theory]
    [InlineData(100, 30, 0)]
    [InlineData(7, 100, 0)]
    [InlineData(1000, 64, 130)]
    public void Given_any_length_of_orders_When_followed_Then_every_report_and_save_is_the_end_of_one(int steps, int saveEvery, int from)
    {
        var plan = Plan(steps, saveEvery);
        foreach (int most in new[] { 1, 3, 1000 })
        {
            var ends = new List<int>();
            for (int done = from; done < steps; done = ends[^1])
            {
                int next = plan.Next(done, from, most);
                Assert.InRange(next, done + 1, done + most);
                ends.Add(next);
            }
            Assert.Equal(steps, ends[^1]);
            var wanted = Enumerable.Range(from + 1, steps - from).Where(s => plan.Reports(s, from) || s % saveEvery == 0);
            Assert.Superset(wanted.ToHashSet(), ends.ToHashSet());
            Assert.Contains(from + 1, ends); // the first step tells that it works
        }
    }

    [Fact]
    public void Given_a_job_When_it_goes_to_another_node_Then_all_of_it_arrives()
    {
        var job = new TrainingJob
        {
            Checkpoint = "/models/é",
            Layers = 3,
            Type = "bfloat16",
            LoraRank = 4,
            LinearOnly = true,
            Data = "/data/texts.json",
            SyntheticExamples = 5,
            Settings = new DpSgdSettings
            {
                Method = DpMethod.BookKeeping,
                NoiseMultiplier = 1.25,
                Sampling = ExampleSampling.FixedSize,
                LogicalBatch = 8,
                PhysicalBatch = 2,
                SequenceLength = 16,
                Loss = SampleLossKind.Sum,
                Optimizer = DpOptimizer.AdamW,
                LearningRate = 0.1 + 0.2,
                Momentum = 0.5,
                Beta1 = 0.8,
                Beta2 = 0.95,
                Epsilon = 1e-6,
                WeightDecay = 0.01,
                Seed = ulong.MaxValue,
                Clipping = new ClippingSettings { Kind = ClippingKind.AutoS, Threshold = 0.3, Thresholds = ThresholdChoice.Adaptive, Quantile = 0.4, QuantileRate = 0.1, QuantileNoiseMultiplier = 7, ShareInputs = false, NormMethod = NormMethod.Direct },
            },
        };
        Assert.Equal(job, TrainingJob.FromJson(job.ToJson()));
    }

    internal static TrainingPlan Plan(int steps, int saveEvery, TrainingFolder? folder = null, int nodes = 1, double noise = 1) => new(
        "run", new TrainingJob
        {
            Shape = "tiny",
            Layers = 1,
            SyntheticExamples = 40,
            Settings = new DpSgdSettings { NoiseMultiplier = noise, LogicalBatch = 8, PhysicalBatch = 4, SequenceLength = 8, Optimizer = DpOptimizer.AdamW, LearningRate = 1e-3, Seed = 7 },
        },
        40, steps, saveEvery, folder ?? new TrainingFolder(Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("n")), resume: false), nodes, CollectiveKind.Auto);
}
