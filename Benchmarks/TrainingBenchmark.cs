using System.Diagnostics;
using Chorus.Gpu.Training;
using static Chorus.Benchmarks.BenchmarkModel;

namespace Chorus.Benchmarks;

/// <summary>Tokens a second of training all weights (AdamW, clipped gradients) on random tokens from a fixed seed; the first steps warm up and are not timed.</summary>
internal static class TrainingBenchmark
{
    private const int WarmUp = 3;

    public static int Run(BenchmarkArguments arguments)
    {
        var (device, type) = Begin(arguments, "cpu");
        int batch = arguments.Int("batch", 32), length = arguments.Int("length", 96), steps = arguments.Int("steps", 20);
        using var model = New(arguments.Text("shape", "4m"), device, type);
        var random = new Random(1);
        var documents = Enumerable.Range(0, batch * 2).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(model.Shape.VocabularySize)).ToArray()).ToArray();
        var clock = new Clock();
        LanguageModelTrainer.Train(model, documents, new LanguageModelTrainingSettings { BatchSize = batch, SequenceLength = length, Steps = WarmUp + steps, LearningRate = 1e-3 }, clock);
        Wait(device);
        double seconds = Stopwatch.GetElapsedTime(clock.Started).TotalSeconds;
        Print($"training, {batch} x {length} tokens a step: {steps * (double)batch * length / seconds:N0} tokens/s ({seconds / steps * 1000:0.0} ms a step, {steps} steps)");
        return 0;
    }

    // Starts with the last step of the warm-up.
    private sealed class Clock : IProgress<TrainingProgress>
    {
        public long Started { get; private set; }

        public void Report(TrainingProgress value)
        {
            if (value.Step == WarmUp)
                Started = Stopwatch.GetTimestamp();
        }
    }
}
