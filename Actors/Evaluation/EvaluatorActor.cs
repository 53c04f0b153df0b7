using System.Buffers.Binary;
using System.Diagnostics;
using Akka.Actor;
using Chorus.Actors.Embedding;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Evaluation.EvaluationProtocol;

namespace Chorus.Actors.Evaluation;

/// <summary>
/// Measures what the synthetic data is worth. Its ceiling reads every private text, which only a simulator can: that
/// figure is not private, and is switched off by <c>evaluation.ceiling</c>.
/// </summary>
public sealed class EvaluatorActor(DeviceThread device, DownstreamFactory factory) : DeviceActor(device)
{
    /// <param name="device">The device's thread; not owned.</param>
    /// <param name="factory">Makes the experiment, on the device's thread.</param>
    public static Props Props(DeviceThread device, DownstreamFactory factory) =>
        Akka.Actor.Props.Create(() => new EvaluatorActor(device, factory));

    protected override string StageOf(PolicyProtocol.IRequest request) => "downstream";

    protected override object Work(PolicyProtocol.IRequest request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var folder = new RunFolder(request.Folder);
        var settings = RunSettings.Load(folder.Settings);
        using var corpus = RunData.Open(settings.Data);
        using var experiment = factory(settings, corpus.Initial, ct);
        var heldOut = new HeldOutTexts(corpus.Eval, TopicsOf(settings, corpus));
        var synthetic = RunFolder.ReadJson<string[]>(folder.Synthetic);
        List<ArmMeasured> arms =
        [
            experiment.Floor(corpus.Initial, heldOut, (d, t, s) => progress("downstream: floor", d, t, s), ct),
            experiment.From("popri", Draw(synthetic, settings), heldOut, (d, t, s) => progress("downstream: popri", d, t, s), ct),
        ];
        if (settings.Evaluation.Ceiling)
        {
            var clients = settings.Clients.Limit == 0 ? corpus.Clients.Count : Math.Min(settings.Clients.Limit, corpus.Clients.Count);
            var all = Enumerable.Range(0, clients).SelectMany(c => corpus.Clients.ReadTexts(c)).ToArray();
            arms.Add(experiment.From("ceiling", Draw(all, settings), heldOut, (d, t, s) => progress("downstream: ceiling", d, t, s), ct));
        }

        return new DownstreamDone(request.Run, [.. arms], watch.Elapsed.TotalSeconds);
    }

    private static HeldOutTopics TopicsOf(RunSettings settings, FederatedCorpus corpus)
    {
        if (settings.Evaluation.Topics == 0)
            return HeldOutTopics.None(corpus.Eval.Length);
        ISentenceEncoder? encoder = null;
        try
        {
            return HeldOutTopics.Read(corpus, () => encoder = RunEncoder.Open(settings.Encoder, corpus.Initial), settings.Evaluation.Topics);
        }
        finally
        {
            (encoder as IDisposable)?.Dispose();
        }
    }

    /// <summary>As many texts as an arm may train on, each as likely as any other, in their order.</summary>
    private static string[] Draw(string[] texts, RunSettings settings)
    {
        var count = settings.Evaluation.Texts;
        if (count == 0 || texts.Length <= count)
            return texts;
        var keys = new byte[texts.Length * sizeof(ulong)];
        new SeededRandomSource(settings.Seed, "evaluation/texts").Fill(keys);
        return [.. Enumerable.Range(0, texts.Length)
            .OrderBy(i => BinaryPrimitives.ReadUInt64LittleEndian(keys.AsSpan(i * sizeof(ulong))))
            .Take(count)
            .Order()
            .Select(i => texts[i])];
    }
}
