using System.Diagnostics;
using System.Globalization;
using Chorus.Actors.Training;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Commands.Train;

/// <summary>Steps from where the trainer stands to the run's end, told and saved along the way.</summary>
internal sealed class TrainSession(
    DpSgdTrainer trainer, CausalModel model, LoraAdapter? adapter, DpSgdSettings settings, int examples, int steps, double delta, TrainFolder folder, TextWriter output)
{
    private const int ReportsInAll = 20;

    private readonly DpSgdPrivacy _privacy = new(settings, examples);
    private string _device = "", _type = "";

    private bool Private => settings.NoiseMultiplier > 0;

    public void Describe(string device, string type)
    {
        (_device, _type) = (device, type);
        long trained = trainer.Parameters.Sum(p => p.Parameter.numel());
        Line($"{model.Shape.Family}, {model.Shape.Layers} layers, {trained:N0} of {model.Shape.ParameterCount:N0} weights trained, {type} on {model.Device}; {examples:N0} examples, {settings.LogicalBatch} a step ({(settings.Sampling == ExampleSampling.Poisson ? "Poisson" : "fixed size")})");
        if (Private)
            Line($"dp {settings.Method}: {trainer.Groups.Count} clipping groups, C {settings.Clipping.Threshold:G6}, noise multiplier {settings.NoiseMultiplier:G6}; all {steps} steps cost epsilon {_privacy.Epsilon(steps, delta):G6} at delta {delta:G3}, add or remove one example");
        else
            Line($"no privacy: no clipping, no noise");
        if (Private && settings.Seed is not null)
            Line($"the noise follows from --seed {settings.Seed}: whoever knows it can take the noise away, so this run protects nobody");
        if (Private && delta > 1.0 / examples)
            Line($"delta {delta:G3} is above 1 / examples: that allows publishing an example outright");
    }

    public void Run(int saveEvery, CancellationToken ct)
    {
        int every = Math.Max(1, steps / ReportsInAll), from = trainer.StepsDone;
        var (first, last) = (double.NaN, double.NaN);
        var clock = new Stopwatch(); // of training alone: accounting and saving are not its time
        long tokensBefore = 0;
        while (trainer.StepsDone < steps)
        {
            if (ct.IsCancellationRequested)
            {
                Save();
                Line($"stopped after step {trainer.StepsDone}; go on with --resume");
                ct.ThrowIfCancellationRequested();
            }
            clock.Start();
            trainer.Step();
            int done = trainer.StepsDone;
            if (done == from + 1 || done % every == 0 || done == steps)
            {
                var report = trainer.Report(); // waits for the device
                clock.Stop();
                if (double.IsFinite(report.Loss))
                    (first, last) = (double.IsNaN(first) ? report.Loss : first, report.Loss);
                Line($"step {done}/{steps}  loss {report.Loss:F4}  {Rate(report.Tokens - tokensBefore, clock):N0} tokens/s  peak {PeakMemory.Bytes(model.Device) / 1048576.0:N0} MiB{Spent(done)}{(report.NotFinite > 0 ? $"  {report.NotFinite} samples not finite" : "")}");
                if (done == from + 1 && done < steps)
                {
                    clock.Reset(); // the first step warms up
                    tokensBefore = report.Tokens;
                }
            }
            if (done % saveEvery == 0 && done < steps)
            {
                clock.Stop();
                Save();
            }
        }
        var end = trainer.Report();
        double rate = Rate(end.Tokens - tokensBefore, clock);
        Save();
        folder.Finish(model, adapter, Result(end, first, last, rate));
        Line($"{(adapter is null ? "checkpoint" : "adapter")}: {folder.Model(adapter is not null)}");
    }

    private void Save() => folder.Save(trainer, Private ? History() : null);

    private PrivacyHistory History() => _privacy.After(trainer.StepsDone);

    private string Spent(int done) => Private ? string.Create(CultureInfo.InvariantCulture, $"  epsilon {_privacy.Epsilon(done, delta):F4}") : "";

    private static double Rate(long tokens, Stopwatch clock) => tokens / Math.Max(1e-9, clock.Elapsed.TotalSeconds);

    private object Result(DpTrainingReport end, double first, double last, double rate) => new
    {
        dp = settings.Method.ToString().ToLowerInvariant(),
        steps = end.Step,
        examples,
        trainer.SamplingRate,
        sampling = settings.Sampling.ToString(),
        settings.LogicalBatch,
        settings.PhysicalBatch,
        settings.SequenceLength,
        optimizer = settings.Optimizer.ToString(),
        settings.LearningRate,
        clipping = settings.Clipping.Kind.ToString(),
        thresholds = settings.Clipping.Thresholds.ToString(),
        settings.Clipping.Threshold,
        settings.NoiseMultiplier,
        epsilon = Private ? _privacy.Epsilon(end.Step, delta) : (double?)null,
        delta = Private ? delta : (double?)null,
        unit = Private ? "example" : null,
        adjacency = Private ? "add-or-remove-one" : null,
        reproducible_noise = Private && settings.Seed is not null,
        first_loss = first,
        last_loss = last,
        samples_not_finite = end.NotFinite,
        tokens_per_second = rate,
        peak_memory_bytes = PeakMemory.Bytes(model.Device),
        device = _device,
        dtype = _type,
        model.Shape,
    };

    private void Line(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
