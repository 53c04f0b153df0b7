using System.CommandLine;
using Akka.Actor;
using Akka.Configuration;
using Chorus.Actors.Hosting;
using Chorus.Actors.Settings;
using Chorus.Actors.Training;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli.Commands.Train;

/// <summary><c>chorus train</c>: a language model trained on examples with DP-SGD, or without privacy by the same trainers; on one device, several, or several nodes.</summary>
internal static class TrainCommand
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    public static Command Create()
    {
        var (model, training) = (new ModelOptions(), new TrainOptions());
        var folder = new Option<string>("--out") { Description = "Where checkpoint, state, privacy.json and result.json go.", Required = true, HelpName = "DIR" };
        var resume = new Option<bool>("--resume") { Description = "Go on with the run in that folder; give it the options it had (--steps may be more, devices and nodes others)." };
        var saveEvery = new Option<int>("--save-every") { Description = "Steps between saved states.", DefaultValueFactory = _ => 100 };
        var nodes = new Option<int>("--nodes") { Description = "Wait for so many cluster members, this one included; the others are 'chorus node --roles trainer'.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var collective = TrainOptions.Choice("--collective", "How ranks add up: NCCL where each has a GPU of its own and the library is there, else the host's.", "auto", "nccl", "host");
        var command = new Command("train", "Trains a language model with example-level differential privacy (DP-SGD), clipping fused into the backward pass.") { folder, resume, saveEvery, nodes, collective };
        model.AddTo(command);
        training.AddTo(command);
        MemberOptions.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            model.Check(parsed);
            var files = new TrainingFolder(parsed.GetValue(folder)!, parsed.GetValue(resume));
            int every = parsed.GetValue(saveEvery) is var n and >= 1 ? n : throw new SettingsException($"--save-every must be at least 1, got {parsed.GetValue(saveEvery)}");
            int members = parsed.GetValue(nodes) is var m and >= 1 and <= 1000 ? m : throw new SettingsException($"--nodes must be in [1, 1000], got {parsed.GetValue(nodes)}");
            int examples = TrainingJob.Count(model.Data(parsed), model.Synthetic(parsed));
            var kind = parsed.GetValue(collective) switch { "nccl" => CollectiveKind.Nccl, "host" => CollectiveKind.Host, _ => CollectiveKind.Auto };
            var plan = new TrainingPlan(Guid.NewGuid().ToString("n"), model.Job(parsed, training.Read(parsed, examples)), examples, training.Steps(parsed), every, files, members, kind);
            var session = new TrainSession(plan, training.Delta(parsed), parsed.InvocationConfiguration.Output);
            TorchRuntime.Prepare();
            var devices = model.Devices(parsed);
            return members > 1 ? await InClusterAsync(parsed, plan, session, devices, ct) : await HereAsync(session, devices, ct);
        });
        return command;
    }

    private static async Task<int> HereAsync(TrainSession session, IReadOnlyList<string> devices, CancellationToken ct)
    {
        // The same actors, without a network.
        using var system = ActorSystem.Create("chorus", ConfigurationFactory.ParseString($"akka.actor.provider = local, akka.extensions = [], akka.loglevel = {LogLevels.OfUser()}").WithFallback(HoconFiles.Embedded("cluster.conf")));
        var here = Environment.MachineName;
        system.ActorOf(TrainerHostActor.Props(here, devices), TrainerHostActor.Name);
        var code = await session.RunAsync(system, here, clustered: false, Retry, ct);
        await system.Terminate();
        return code;
    }

    private static async Task<int> InClusterAsync(ParseResult parsed, TrainingPlan plan, TrainSession session, IReadOnlyList<string> devices, CancellationToken ct)
    {
        var options = MemberOptions.Read(parsed, ["coordinator", "trainer"]) with { TrainerDevices = devices, Downstream = null };
        await using var node = await ChorusNode.StartAsync(options);
        session.Say($"waiting for {plan.MinimumNodes - 1} more nodes: chorus node --roles trainer --seed-node {node.Address}");
        return await session.RunAsync(node.System, node.Address, clustered: true, Retry, ct);
    }
}
