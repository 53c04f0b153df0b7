using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Collection;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Gpu.Runtime;
using static Chorus.Actors.Policy.PolicyProtocol;

namespace Chorus.Actors.Tests.Policy;

public sealed class PolicyActorTests : TestKit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TinyRunFolder _run = new();
    private readonly DeviceThread _device = new("test", 1);
    private readonly IActorRef _policy;
    private Action _beforeTuning = () => { };
    private Action<string, long, long, string> _progress = (_, _, _, _) => { };
    private int _tunings;

    public PolicyActorTests()
        : base("akka.loglevel = OFF")
    {
        _policy = Sys.ActorOf(PolicyActor.Props(_device, (_, _, progress, _) =>
        {
            _progress = progress;
            return new StubPolicy
            {
                BeforeTuning = () =>
                {
                    Interlocked.Increment(ref _tunings);
                    _beforeTuning();
                },
            };
        }));
    }

    private GenerateCandidates Generate => new(_run.Context.Run, _run.Folder.Path, 1);

    private TunePolicy Tune => new(_run.Context.Run, _run.Folder.Path, 1);

    [Fact]
    public async Task Given_a_request_that_was_answered_When_repeated_Then_the_same_answer_comes_and_nothing_is_written_again()
    {
        var first = await AskAsync<CandidatesGenerated>(Generate);
        Assert.Equal(12, first.Count);
        File.Delete(_run.Folder.Candidates(1));
        Assert.Same(first, await AskAsync<CandidatesGenerated>(Generate));
        Assert.False(File.Exists(_run.Folder.Candidates(1)));
    }

    [Fact]
    public async Task Given_a_request_under_way_When_repeated_Then_it_is_done_once_and_answered_once()
    {
        await GenerateAsync();
        using var gate = new ManualResetEventSlim();
        _beforeTuning = () => gate.Wait(Patience);
        _policy.Tell(Tune, TestActor);
        _policy.Tell(Tune, TestActor);
        await _policy.Ask<ActorIdentity>(new Identify(1), Patience); // it lives, and has seen both
        gate.Set();
        var tuned = await ExpectMsgAsync<PolicyTuned>(Patience);
        Assert.Same(tuned, await AskAsync<PolicyTuned>(Tune));
        Assert.Equal(1, _tunings);
    }

    [Fact]
    public async Task Given_a_step_that_throws_When_asked_Then_it_fails_with_the_reason_and_is_tried_again_when_asked_again()
    {
        await GenerateAsync();
        _beforeTuning = () => throw new InvalidOperationException("the loss is not a number");
        var failed = await AskAsync<StepFailed>(Tune);
        Assert.Equal(("tune", false), (failed.Stage, failed.BadInput));
        Assert.Contains("the loss is not a number", failed.Reason, StringComparison.Ordinal);

        _beforeTuning = () => throw new SettingsException("dpo.beta is too large");
        Assert.Equal(new StepFailed(_run.Context.Run, "tune", "dpo.beta is too large", BadInput: true), await AskAsync<StepFailed>(Tune));

        _beforeTuning = () => { };
        await AskAsync<PolicyTuned>(Tune);
        Assert.Equal(3, _tunings);
    }

    [Fact]
    public async Task Given_a_long_step_When_it_tells_how_far_it_is_Then_its_asker_hears_the_first_and_the_last_and_few_between()
    {
        // The factory's progress belongs to the request that made the policy.
        await GenerateAsync();
        _beforeTuning = () =>
        {
            for (var done = 0; done <= 10_000; done++)
                _progress("tune", done, 10_000, "");
        };
        _policy.Tell(Tune, TestActor);
        var messages = new List<object>();
        do
            messages.Add(await ReceiveOneAsync(Patience));
        while (messages[^1] is StepProgress);

        Assert.IsType<PolicyTuned>(messages[^1]);
        var heard = messages.OfType<StepProgress>().Select(p => p.Done).ToArray();
        Assert.Equal((0, 10_000), (heard[0], heard[^1]));
        Assert.InRange(heard.Length, 2, 200);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        Shutdown(); // the actor first, then the thread that it works on
        _device.DisposeAsync().AsTask().Wait(Patience);
        _run.Dispose();
    }

    /// <summary>Candidates, and a release that likes the first of them best.</summary>
    private async Task GenerateAsync()
    {
        var made = await AskAsync<CandidatesGenerated>(Generate);
        RunFolder.WriteJson(_run.Folder.Release(1), new Release(
            1, made.Sha256, 24, 1, true, 23, 23, "", VoteTally.None, [.. Enumerable.Range(0, made.Count).Select(i => -(long)i << 24)], null));
    }

    private async Task<T> AskAsync<T>(IRequest request)
    {
        _policy.Tell(request, TestActor);
        return await ExpectMsgAsync<T>(Patience);
    }
}
