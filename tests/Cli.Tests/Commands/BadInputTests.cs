using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

/// <summary>What a user can get wrong: exit code 2, one message that says where and how to put it right, and nothing written.</summary>
[Collection(CliCollection.Name)]
public sealed class BadInputTests(CliFixture shared)
{
    private static readonly string NineTexts = JsonSerializer.Serialize(Enumerable.Range(0, 9).Select(i => $"Text {i}."));

    private readonly TestFolder _folder = shared.Folder;

    /// <summary>A data folder that is wrong, and what the message must hold.</summary>
    public static TheoryData<string, string?, string?, string?, string[]> WrongData => new()
    {
        { "a file missing", null, null, "eval.json", ["no eval.json", "train_clients.json"] },
        { "malformed JSON", "{\n\"ada\": [\"a text\"],\n\"bob\": [\"another\" oops]\n}", null, null, ["train_clients.json:3", "expected", "found"] },
        { "JSON that ends early", "{\n\"ada\": [\"a text\",\n", null, null, ["train_clients.json:", "expected"] },
        { "a client that is no list", "{\"ada\": [\"a text\"],\n\"bob\": \"his text\"}", null, null, ["train_clients.json:2", "bob", "list"] },
        { "a text that is no string", "{\"ada\": [\"a text\",\n7]}", null, null, ["train_clients.json:2", "ada"] },
        { "no clients", "{}", null, null, ["train_clients.json", "client"] },
        { "a client twice", "{\"ada\": [\"a text\"],\n\"ada\": [\"another\"]}", null, null, ["train_clients.json:2", "ada"] },
        { "nine evaluation texts", null, NineTexts, null, ["eval.json", "10", "9"] },
        { "evaluation texts that are no list", null, "{}", null, ["eval.json:1", "list"] },
    };

    /// <summary>Wrong options, and what the message must hold.</summary>
    public static TheoryData<string, string[]> WrongOptions => new()
    {
        { "--epsilon 0", ["chorus.privacy.epsilon", "\"0\""] },
        { "--epsilon -1", ["chorus.privacy.epsilon", "\"-1\""] },
        { "--set popri.samples=65", ["chorus.popri.samples", "[2, 64]", "65"] },
        { "--set popri.rejected-rank=5", ["chorus.popri.rejected-rank", "[2, 4]", "5"] },
        { "--set popri.promts=3", ["chorus.popri.promts", "chorus.popri.prompts"] },
        { "--set seed", ["--set", "KEY=VALUE"] },
        { "--set policy.text-tokens=many", ["chorus.policy.text-tokens", "many"] },
        { "--set policy.model.context=40", ["chorus.policy.model.context", "49"] },
        { "--set privacy.delta=2", ["chorus.privacy.delta"] },
        { "--set data.synthesize.eval-clients=5", ["chorus.data.synthesize.eval-clients", "5"] },
        { "--set clients.cohort=some", ["chorus.clients.cohort", "poisson"] },
        { "--set clients.cohort=fixed --set clients.cohort-size=41", ["chorus.clients.cohort-size", "40", "41"] },
        { "--device cuda:7", ["cuda:7", "cpu"] },
        { "--device gpu", ["gpu", "cuda"] },
        { "--rounds 0", ["chorus.rounds", "\"0\""] },
        { "--rounds many", ["--rounds", "many", "whole number"] },
        { "--clients 0", ["chorus.data.synthesize.clients", "\"0\""] },
        { "--port 70000", ["65535", "70000"] },
        { "--host 192.0.2.1", ["192.0.2.1"] },
        { "--nodes 0", ["--nodes", "0"] },
        { "--seed-node elsewhere", ["host:port", "elsewhere"] },
        { "--data no-such-folder", ["no-such-folder", "train_clients.json"] },
        { "--no-such-option", ["--no-such-option"] },
        { "--resume", ["holds no run"] },
    };

    /// <summary>Other commands gone wrong, and what the message must hold.</summary>
    public static TheoryData<string, string[]> WrongCommands => new()
    {
        { "simulat", ["simulat"] },
        { "simulate --run no-such-run --out made", ["no-such-run", "quickstart"] },
        { "node", ["--seed-node"] },
        { "node --seed-node 127.0.0.1:4053 --roles coordinator", ["chorus simulate"] },
        { "node --seed-node 127.0.0.1:4053 --roles postman", ["postman", "client"] },
        { "node --config no-such-file", ["no-such-file"] },
        { "node --seed-node 127.0.0.1:4053 --akka no-such-file", ["no-such-file"] },
        { "node --seed-node 127.0.0.1:4053 --akka tiny.conf", ["tiny.conf", "chorus", "akka { ... }"] },
        { "node --seed-node 127.0.0.1:4053 --tls no-such-folder", ["no-such-folder", "ca.crt", "chorus cluster init"] },
        { "cluster init", ["--out"] },
        { "cluster init --out made --hosts a/b", ["a/b"] },
        { "cluster init --out made --days 0", ["--days", "0"] },
        { "cluster init --out .", ["not empty"] },
        { "cluster status --node nowhere", ["host:port", "nowhere"] },
        { "report .", ["holds no run"] },
        { "data describe no-such-folder", ["no-such-folder"] },
        { "data synthesize --clients 0 --out made", ["--clients", "0"] },
        { "data synthesize --out .", ["not empty"] },
        { "data synthesize --flavour limericks --out made", ["limericks"] },
        { "data synthesize --eval-clients 3 --out made", ["--eval-clients", "3"] },
        { "account epsilon --rounds 20 --delta 3e-6", ["--noise"] },
        { "account epsilon --noise -1 --delta 1e-5", ["noise multiplier", "-1"] },
        { "account noise --epsilon 0 --delta 1e-5", ["epsilon", "0"] },
        { "audit --epsilon 0 --out made", ["--epsilon", "0"] },
        { "audit --epsilon 4 --noise-multiplier 1 --out made", ["--epsilon", "--noise-multiplier", "give one"] },
        { "audit --confidence 1 --out made", ["--confidence", "1"] },
        { "audit --canaries 8 --out made", ["--canaries", "16", "8"] },
        { "audit --rounds 1000 --out made", ["--rounds", "999", "1000"] },
        { "audit --run no-such-run --out made", ["no-such-run", "quickstart"] },
        { "audit --out .", ["not an empty folder"] },
        { "account noise --epsilon 1 --delta 2", ["delta", "(0, 1)", "2"] },
    };

    [Theory]
    [MemberData(nameof(WrongData))]
    public async Task Given_wrong_data_When_a_run_is_asked_for_Then_file_and_line_are_named(
        string what, string? clients, string? eval, string? without, string[] said)
    {
        var output = _folder.Fresh("run");
        await using var chorus = Simulate(output, "--data", _folder.Data(clients, eval, without: without));

        await AssertRefused(chorus, output, said);
        Assert.True(true, what);
    }

    [Theory]
    [MemberData(nameof(WrongOptions))]
    public async Task Given_a_wrong_option_When_a_run_is_asked_for_Then_key_and_value_are_named(string options, string[] said)
    {
        var output = _folder.Fresh("run");
        await using var chorus = Simulate(output, options.Split(' '));

        await AssertRefused(chorus, output, said);
    }

    [Theory]
    [MemberData(nameof(WrongCommands))]
    public async Task Given_a_wrong_command_When_it_is_given_Then_the_message_says_what_is_wrong(string command, string[] said)
    {
        await using var chorus = ChildProcess.Chorus(_folder, command.Split(' '));

        await AssertRefused(chorus, Path.Combine(_folder.Path, "made"), said);
    }

    [Fact]
    public async Task Given_a_folder_with_another_run_When_a_run_is_asked_for_Then_that_one_is_left_alone()
    {
        var other = (await shared.UndisturbedAsync()).Folder;
        var before = await File.ReadAllBytesAsync(Path.Combine(other, "run.conf"));

        await using var chorus = Simulate(other, "--seed", "12");

        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains("holds another run", chorus.Errors, StringComparison.Ordinal);
        Assert.Contains("--out", chorus.Errors, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(other, "run.conf")));
    }

    [Fact]
    public async Task Given_a_run_When_it_is_resumed_with_other_settings_Then_they_are_refused()
    {
        var other = (await shared.UndisturbedAsync()).Folder;

        await using var chorus = ChildProcess.Chorus(_folder, "simulate", "--resume", "--out", other, "--rounds", "3");

        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains("resumed with its own settings", chorus.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_port_in_use_When_a_run_or_a_node_is_asked_for_Then_the_port_is_named()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var port = $"{((IPEndPoint)holder.LocalEndpoint).Port}";
        var output = _folder.Fresh("run");

        await using var simulation = Simulate(output, "--port", port);
        await using var node = ChildProcess.Chorus(_folder, "node", "--seed-node", "127.0.0.1:4053", "--port", port);

        await AssertRefused(simulation, output, port, "in use", "--port");
        await AssertRefused(node, output, port, "in use", "--port");
    }

    [Fact]
    public async Task Given_a_run_file_that_is_no_HOCON_When_a_run_is_asked_for_Then_the_file_is_named()
    {
        var file = _folder.Fresh("broken");
        await File.WriteAllTextAsync(file, "chorus {\n  rounds = 3\n  popri {\n    prompts = 4\n");
        var output = _folder.Fresh("run");
        await using var chorus = ChildProcess.Chorus(_folder, "simulate", "--run", file, "--out", output);

        await AssertRefused(chorus, output, Path.GetFileName(file), "HOCON", "line 3");
    }

    private ChildProcess Simulate(string output, params string[] more) =>
        ChildProcess.Chorus(_folder, ["simulate", "--run", _folder.TinyRun, "--out", output, .. more]);

    private static async Task AssertRefused(ChildProcess chorus, string output, params string[] said)
    {
        var code = await chorus.ExitAsync();
        Assert.True(code == ExitCode.BadInput, $"exit code {code}: {chorus.Output}{chorus.Errors}");
        Assert.All(chorus.Errors.Split(Environment.NewLine), line => Assert.StartsWith("chorus: ", line, StringComparison.Ordinal));
        Assert.All(said, text => Assert.Contains(text, chorus.Errors, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", chorus.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("(Parameter", chorus.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }
}
