using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Akka.Actor;
using Chorus.Actors.Settings;
using Chorus.Actors.Training;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Models;

namespace Chorus.Cli.Commands.Train;

/// <summary>Starts a training's leader, tells how it goes, and writes what came of it.</summary>
internal sealed class TrainSession(TrainingPlan plan, double delta, TextWriter output)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly DpSgdSettings _settings = plan.Job.Settings;
    private readonly DpSgdPrivacy _privacy = new(plan.Job.Settings, plan.Examples);
    private readonly CausalShape _shape = plan.Job.ReadShape();
    private TrainingEvent.Formed? _formed;
    private double _first = double.NaN, _last = double.NaN, _seconds;
    private long _tokens;
    private int _reports, _epochs;

    private bool Private => _settings.NoiseMultiplier > 0;

    /// <summary>Trains to the end, or until it is asked to stop; gives the exit code.</summary>
    /// <exception cref="SettingsException">What the user can put right.</exception>
    /// <exception cref="OperationCanceledException">It was asked to stop, and has saved.</exception>
    public async Task<int> RunAsync(ActorSystem system, string here, bool clustered, TimeSpan retry, CancellationToken ct)
    {
        var events = Channel.CreateUnbounded<TrainingEvent>();
        var end = new TaskCompletionSource<TrainingEnd>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = system.ActorOf(TrainerGroupActor.Props(plan, here, clustered, retry, e => events.Writer.TryWrite(e), end), "training");
        using var stop = ct.Register(() => leader.Tell(TrainerGroupActor.Stop.Instance));
        _ = system.WhenTerminated.ContinueWith(_ => end.TrySetResult(new TrainingEnd(0, "this node was removed from its cluster; go on with --resume", BadInput: false, Stopped: false, null)), TaskScheduler.Default);
        _ = end.Task.ContinueWith(_ => events.Writer.TryComplete(), TaskScheduler.Default);
        await foreach (var news in events.Reader.ReadAllAsync(CancellationToken.None))
            Tell(news);
        var ended = await end.Task;
        if (ended.Failure is { } failure)
            return ended.BadInput ? throw new SettingsException(failure) : throw new IOException(failure);
        if (ended.Stopped)
        {
            Say($"stopped after step {ended.Step}; go on with --resume");
            throw new OperationCanceledException(ct);
        }
        plan.Folder.Write("result.json", JsonSerializer.Serialize(Result(ended), Json));
        Say($"{(plan.Job.LoraRank is null ? "checkpoint" : "adapter")}: {plan.Folder.Product(plan.Job.LoraRank is not null)}");
        return ExitCode.Done;
    }

    public void Say(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private void Tell(TrainingEvent news)
    {
        switch (news)
        {
            case TrainingEvent.Formed formed:
                if (_epochs++ == 0)
                    Describe(formed);
                if (formed.Collective is { } collective || _epochs > 1)
                    Say($"epoch {formed.Epoch}: {formed.Ranks.Length} ranks ({string.Join(", ", formed.Ranks)}){(formed.Collective is { } kind ? $" over {kind.ToString().ToLowerInvariant()}" : "")}, from step {formed.Step}");
                Say($"memory a device: {formed.Memory}");
                _formed = formed;
                break;
            case TrainingEvent.Broken broken:
                Say($"the group is broken: {broken.Reason}; it is formed anew and goes on from the last saved state");
                break;
            case TrainingEvent.Reported reported:
                Report(reported);
                break;
        }
    }

    private void Describe(TrainingEvent.Formed formed)
    {
        Say($"{_shape.Family}, {_shape.Layers} layers, {formed.Model.Weights:N0} of {_shape.ParameterCount:N0} weights trained, {plan.Job.Type}; {plan.Examples:N0} examples, {_settings.LogicalBatch} a step ({(_settings.Sampling == ExampleSampling.Poisson ? "Poisson" : "fixed size")})");
        if (Private)
            Say($"dp {_settings.Method}: {formed.Model.Groups} clipping groups, C {_settings.Clipping.Threshold:G6}, noise multiplier {_settings.NoiseMultiplier:G6}; all {plan.Steps} steps cost epsilon {_privacy.Epsilon(plan.Steps, delta):G6} at delta {delta:G3}, add or remove one example");
        else
            Say($"no privacy: no clipping, no noise");
        if (Private && _settings.Seed is not null)
            Say($"the noise follows from --seed {_settings.Seed}: whoever knows it can take the noise away, so this run protects nobody");
        if (Private && delta > 1.0 / plan.Examples)
            Say($"delta {delta:G3} is above 1 / examples: that allows publishing an example outright");
    }

    private void Report(TrainingEvent.Reported r)
    {
        if (double.IsFinite(r.Figures.Loss))
            (_first, _last) = (double.IsNaN(_first) ? r.Figures.Loss : _first, r.Figures.Loss);
        if (_reports++ == 1)
            (_tokens, _seconds) = (0, 0); // the first step warmed up
        (_tokens, _seconds) = (_tokens + r.Tokens, _seconds + r.Seconds);
        Say($"step {r.Step}/{plan.Steps}  loss {r.Figures.Loss:F4}  {Rate():N0} tokens/s{Times(r)}  peak {r.Figures.PeakBytes / 1048576.0:N0} MiB{Spent(r.Step)}{(r.Figures.NotFinite > 0 ? $"  {r.Figures.NotFinite} samples not finite" : "")}");
    }

    private double Rate() => _tokens / Math.Max(1e-9, _seconds);

    // Where a step's time goes on rank 0: what is neither waiting for others nor laying out data is computing.
    private string Times(TrainingEvent.Reported r)
    {
        double step = r.Seconds / Math.Max(1, r.Steps), communication = r.Figures.CommunicationSeconds / Math.Max(1, r.Steps), data = r.Figures.DataSeconds / Math.Max(1, r.Steps);
        return _formed?.Collective is null ? "" : string.Create(
            CultureInfo.InvariantCulture, $"  step {step * 1e3:0.0} ms (compute {Math.Max(0, step - communication - data) * 1e3:0.0}, exposed communication {communication * 1e3:0.0}, data {data * 1e3:0.0})");
    }

    private string Spent(int done) => Private ? string.Create(CultureInfo.InvariantCulture, $"  epsilon {_privacy.Epsilon(done, delta):F4}") : "";

    private object Result(TrainingEnd end) => new
    {
        dp = _settings.Method.ToString().ToLowerInvariant(),
        steps = end.Step,
        examples = plan.Examples,
        sampling_rate = (double)_settings.LogicalBatch / plan.Examples,
        sampling = _settings.Sampling.ToString(),
        _settings.LogicalBatch,
        _settings.PhysicalBatch,
        _settings.SequenceLength,
        optimizer = _settings.Optimizer.ToString(),
        _settings.LearningRate,
        clipping = _settings.Clipping.Kind.ToString(),
        thresholds = _settings.Clipping.Thresholds.ToString(),
        _settings.Clipping.Threshold,
        _settings.NoiseMultiplier,
        epsilon = Private ? _privacy.Epsilon(end.Step, delta) : (double?)null,
        delta = Private ? delta : (double?)null,
        unit = Private ? "example" : null,
        adjacency = Private ? "add-or-remove-one" : null,
        reproducible_noise = Private && _settings.Seed is not null,
        first_loss = _first,
        last_loss = _last,
        samples_not_finite = end.Figures?.NotFinite ?? 0,
        tokens_per_second = Rate(),
        peak_memory_bytes = end.Figures?.PeakBytes,
        planned_memory_bytes = _formed?.Memory.Total,
        ranks = _formed?.Ranks.Select(r => r[(r.LastIndexOf(' ') + 1)..]),
        collective = _formed?.Collective?.ToString().ToLowerInvariant(),
        epochs = _epochs,
        device = _formed?.Ranks[0][(_formed.Ranks[0].LastIndexOf(' ') + 1)..],
        dtype = plan.Job.Type,
        shape = _shape,
    };
}
