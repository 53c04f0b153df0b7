using System.CommandLine;
using System.Text.Json;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus account</c>: what releases cost, what noise a budget needs, and what a run has spent.</summary>
internal static class AccountCommand
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public static Command Create()
    {
        var command = new Command("account", "Privacy accounting: epsilon for a noise multiplier, the noise for an epsilon, and what a history has cost.");
        command.Subcommands.Add(Epsilon());
        command.Subcommands.Add(Noise());
        command.Subcommands.Add(History());
        return command;
    }

    private static Option<double?> Delta() => new("--delta") { Description = "The delta of (epsilon, delta)-differential privacy." };

    private static Option<bool> AsJson() => new("--json") { Description = "Print JSON." };

    private static Command Epsilon()
    {
        var noise = new Option<double?>("--noise-multiplier", "--noise") { Description = "Noise standard deviation over sensitivity." };
        var table = new Option<string?>("--table") { Description = "A JSON file {\"rows\": [{\"q\", \"noise_multiplier\", \"steps\", \"delta\"}]}, answered row by row; q is the Poisson sampling rate." };
        var (release, delta, json) = (new ReleaseOptions(), Delta(), AsJson());
        var command = new Command("epsilon", "The epsilon that a number of releases costs, by every accountant.") { noise, table, delta, json };
        release.AddTo(command);
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(table) is { } file)
            {
                output.WriteLine(AccountTable.Answer(file, release.Adjacency(parsed)));
                return ExitCode.Done;
            }

            var e = new PrivacyEvent(Mechanism.Gaussian, Required(parsed, noise), release.Sampling(parsed), release.Rounds(parsed));
            Print(new AccountAnswer(new PrivacyHistory(release.Unit(parsed), release.Adjacency(parsed), [e]), Required(parsed, delta)), parsed, json);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Noise()
    {
        var epsilon = new Option<double?>("--epsilon") { Description = "The budget." };
        var (release, delta, json) = (new ReleaseOptions(), Delta(), AsJson());
        var command = new Command("noise", "The least noise multiplier that keeps a number of releases within epsilon.") { epsilon, delta, json };
        release.AddTo(command);
        command.SetAction(parsed =>
        {
            var (sampling, rounds, d) = (release.Sampling(parsed), release.Rounds(parsed), Required(parsed, delta));
            var target = Required(parsed, epsilon);
            var noise = NoiseSearch.NoiseMultiplier(target, d, rounds, sampling, release.Adjacency(parsed));
            var history = new PrivacyHistory(release.Unit(parsed), release.Adjacency(parsed), [new PrivacyEvent(Mechanism.Gaussian, noise, sampling, rounds)]);
            Print(new AccountAnswer(history, d) { Target = target }, parsed, json);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command History()
    {
        var source = new Argument<string>("source") { Description = "A run's folder, a ledger's folder, or a privacy history (JSON)." };
        var (delta, json) = (Delta(), AsJson());
        var command = new Command("history", "What a run, a ledger or a written history has released, and what that costs.") { source, delta, json };
        command.SetAction(parsed =>
        {
            var (history, recorded) = PrivacyFile.Find(parsed.GetValue(source)!);
            var d = parsed.GetValue(delta) ?? recorded ?? throw new SettingsException("a privacy history has no delta of its own: give --delta");
            Print(new AccountAnswer(history, d), parsed, json);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(AccountAnswer answer, ParseResult parsed, Option<bool> json) =>
        parsed.InvocationConfiguration.Output.WriteLine(
            parsed.GetValue(json) ? JsonSerializer.Serialize(answer.ToDocument(), Json) : answer.ToText());

    private static T Required<T>(ParseResult parsed, Option<T?> option)
        where T : struct =>
        parsed.GetValue(option) ?? throw new SettingsException($"{option.Name} is required");

    /// <summary>What the releases are: how many, of whom.</summary>
    private sealed class ReleaseOptions
    {
        private readonly Option<int> _rounds = new("--rounds", "--steps") { Description = "Releases, each with the same noise.", DefaultValueFactory = _ => 1 };
        private readonly Option<double?> _rate = new("--sampling-rate", "-q") { Description = "Poisson sampling: each record takes part with this probability, drawn in secret." };
        private readonly Option<int?> _cohort = new("--cohort-size") { Description = "Fixed-size sampling without replacement: so many records, drawn in secret; needs --population." };
        private readonly Option<int?> _population = new("--population") { Description = "Records that a cohort of fixed size is drawn from." };
        private readonly Option<string> _adjacency = Choice("--adjacency", "Neighbouring data sets.", "add-or-remove-one", "replace-one");
        private readonly Option<string> _unit = Choice("--unit", "What a record is.", "client", "example");

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_rounds, _rate, _cohort, _population, _adjacency, _unit])
                command.Options.Add(option);
        }

        public int Rounds(ParseResult parsed) => parsed.GetValue(_rounds);

        public Adjacency Adjacency(ParseResult parsed) => parsed.GetValue(_adjacency) == "replace-one" ? Chorus.Simulation.Privacy.Adjacency.ReplaceOne : Chorus.Simulation.Privacy.Adjacency.AddOrRemoveOne;

        public PrivacyUnit Unit(ParseResult parsed) => parsed.GetValue(_unit) == "example" ? PrivacyUnit.Example : PrivacyUnit.Client;

        public Sampling Sampling(ParseResult parsed) => (parsed.GetValue(_rate), parsed.GetValue(_cohort), parsed.GetValue(_population)) switch
        {
            ({ } rate, null, null) => new PoissonSampling(rate),
            (null, { } cohort, { } population) => new FixedSizeSampling(cohort, population),
            (null, null, null) => Chorus.Simulation.Privacy.Sampling.Full,
            (not null, _, _) => throw new SettingsException("--sampling-rate is Poisson sampling, --cohort-size and --population are sampling without replacement: give one or the other"),
            _ => throw new SettingsException("sampling without replacement needs both --cohort-size and --population"),
        };

        private static Option<string> Choice(string name, string description, params string[] values)
        {
            var option = new Option<string>(name) { Description = $"{description} {string.Join(" or ", values)}.", DefaultValueFactory = _ => values[0] };
            option.AcceptOnlyFromAmong(values);
            return option;
        }
    }
}
