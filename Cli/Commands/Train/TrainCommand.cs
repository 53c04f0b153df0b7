using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli.Commands.Train;

/// <summary><c>chorus train</c>: a language model trained on examples with DP-SGD, or without privacy by the same trainer.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var (model, training) = (new ModelOptions(), new TrainOptions());
        var folder = new Option<string>("--out") { Description = "Where checkpoint, state, privacy.json and result.json go.", Required = true, HelpName = "DIR" };
        var resume = new Option<bool>("--resume") { Description = "Go on with the run in that folder; give it the options it had (--steps may be more)." };
        var saveEvery = new Option<int>("--save-every") { Description = "Steps between saved states.", DefaultValueFactory = _ => 100 };
        var command = new Command("train", "Trains a language model with example-level differential privacy (DP-SGD), clipping fused into the backward pass.") { folder, resume, saveEvery };
        model.AddTo(command);
        training.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            model.Check(parsed);
            var run = new TrainFolder(parsed.GetValue(folder)!, parsed.GetValue(resume));
            int every = parsed.GetValue(saveEvery) is var n and >= 1 ? n : throw new SettingsException($"--save-every must be at least 1, got {parsed.GetValue(saveEvery)}");
            int steps = training.Steps(parsed);
            var (delta, seed) = (training.Delta(parsed), training.Seed(parsed));
            TorchRuntime.Prepare();
            var (m, adapter) = model.Load(parsed, seed ?? 1);
            using (m)
            using (adapter)
            {
                var examples = model.Examples(parsed, m.Shape, training.SequenceLength(parsed), seed ?? 1);
                var settings = training.Read(parsed, examples.Count);
                using var trainer = Supported(() => new DpSgdTrainer(m, adapter, examples, settings));
                run.Open(trainer);
                var session = new TrainSession(trainer, m, adapter, settings, examples.Count, steps, delta, run, parsed.InvocationConfiguration.Output);
                session.Describe(model.DeviceName(parsed), model.TypeName(parsed));
                session.Run(every, ct);
            }
            return ExitCode.Done;
        });
        return command;
    }

    private static DpSgdTrainer Supported(Func<DpSgdTrainer> make)
    {
        try
        {
            return make();
        }
        catch (NotSupportedException e)
        {
            throw new SettingsException(e.Message);
        }
    }
}
