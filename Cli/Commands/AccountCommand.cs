using System.CommandLine;
using System.Text.Json;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus account</c>: what noise costs, and what a budget needs.</summary>
internal static class AccountCommand
{
    private const string Statement = "unit: client; adjacency: add or remove one; full participation; Gaussian mechanism with sensitivity 1, composed exactly";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public static Command Create()
    {
        var command = new Command("account", "Privacy accounting: epsilon for a noise multiplier, and the noise for an epsilon.");
        command.Subcommands.Add(Epsilon());
        command.Subcommands.Add(Noise());
        return command;
    }

    private static Option<int> Rounds() => new("--rounds") { Description = "Releases, each with the same noise.", DefaultValueFactory = _ => 1 };

    private static Option<double> Delta() => new("--delta") { Description = "The delta of (epsilon, delta)-differential privacy.", Required = true };

    private static Option<bool> AsJson() => new("--json") { Description = "Print JSON." };

    private static Command Epsilon()
    {
        var noise = new Option<double>("--noise", "--noise-multiplier") { Description = "Noise standard deviation over sensitivity.", Required = true };
        var (rounds, delta, json) = (Rounds(), Delta(), AsJson());
        var command = new Command("epsilon", "The epsilon that a number of releases costs.") { noise, rounds, delta, json };
        command.SetAction(parsed =>
        {
            var (n, r, d) = (parsed.GetValue(noise), parsed.GetValue(rounds), parsed.GetValue(delta));
            return Print(parsed, json, GaussianAccountant.Epsilon(n, r, d), n, r, d, "epsilon");
        });
        return command;
    }

    private static Command Noise()
    {
        var epsilon = new Option<double>("--epsilon") { Description = "The budget.", Required = true };
        var (rounds, delta, json) = (Rounds(), Delta(), AsJson());
        var command = new Command("noise", "The least noise multiplier that keeps a number of releases within epsilon.") { epsilon, rounds, delta, json };
        command.SetAction(parsed =>
        {
            var (e, r, d) = (parsed.GetValue(epsilon), parsed.GetValue(rounds), parsed.GetValue(delta));
            return Print(parsed, json, e, GaussianAccountant.NoiseMultiplier(e, r, d), r, d, "noise");
        });
        return command;
    }

    private static int Print(ParseResult parsed, Option<bool> json, double epsilon, double noiseMultiplier, int rounds, double delta, string asked)
    {
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
        {
            output.WriteLine(JsonSerializer.Serialize(
                new { epsilon, delta, noiseMultiplier, rounds, unit = "client", adjacency = "add-or-remove-one", accountant = "exact" }, Json));
        }
        else
        {
            output.WriteLine(asked == "epsilon"
                ? FormattableString.Invariant($"epsilon {epsilon:0.######} at delta {delta:g} for {rounds} releases with noise multiplier {noiseMultiplier:g}")
                : FormattableString.Invariant($"noise multiplier {Math.Ceiling(noiseMultiplier * 1e6) / 1e6:0.######} for epsilon {epsilon:g} at delta {delta:g} over {rounds} releases"));
            output.WriteLine(Statement);
        }

        return ExitCode.Done;
    }
}
