using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Data;

namespace Chorus.Actors.Policy;

/// <summary>
/// An actor whose work runs on a device's own thread, one request at a time. A request that is repeated while it runs is
/// dropped, and one that was just answered gets the same answer again, so that the coordinator may repeat what it asks.
/// </summary>
public abstract class DeviceActor : UntypedActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DeviceThread _device;
    private readonly CancellationTokenSource _stopping = new();
    private PolicyProtocol.IRequest? _running;
    private (PolicyProtocol.IRequest Request, object Answer)? _last;

    /// <param name="device">Shared with whoever else works on the same device; not owned.</param>
    protected DeviceActor(DeviceThread device) => _device = device;

    /// <summary>Names the step in messages to people.</summary>
    protected abstract string StageOf(PolicyProtocol.IRequest request);

    /// <summary>Does the work, on the device's thread.</summary>
    /// <returns>The answer.</returns>
    protected abstract object Work(PolicyProtocol.IRequest request, Action<string, long, long, string> progress, CancellationToken ct);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case PolicyProtocol.IRequest request when request.Equals(_running):
                break;
            case PolicyProtocol.IRequest request when request.Equals(_last?.Request):
                Sender.Tell(_last!.Value.Answer);
                break;
            case PolicyProtocol.IRequest request:
                Begin(request);
                break;
            case Done done:
                (_running, _last) = (null, done.Answer is StepFailed ? null : (done.Request, done.Answer));
                if (done.Answer is StepFailed failed) // not kept: who resumes the run has put right what was wrong
                    _log.Error("{0}: {1}", failed.Stage, failed.Reason);
                done.Asker.Tell(done.Answer);
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    protected override void PostStop() => _stopping.Cancel();

    private void Begin(PolicyProtocol.IRequest request)
    {
        _running = request;
        var (asker, stage, ct) = (Sender, StageOf(request), _stopping.Token);
        var throttle = new Throttle();
        _device.Run(
            () => Work(
                request,
                (name, done, total, detail) =>
                {
                    if (throttle.Lets(done, total))
                        asker.Tell(new StepProgress(request.Run, name, done, total, detail));
                },
                ct),
            ct).PipeTo(
            Self,
            success: answer => new Done(request, asker, answer),
            failure: e => new Done(request, asker, new StepFailed(
                request.Run, stage, IsUsers(e) || Cause(e) is IOException or UnauthorizedAccessException ? Cause(e).Message : Cause(e).ToString(), IsUsers(e))));
    }

    private static Exception Cause(Exception e) => e is AggregateException { InnerExceptions: [var inner] } ? Cause(inner) : e;

    private static bool IsUsers(Exception e) => Cause(e) is DataFormatException or Settings.SettingsException or DeviceNotFoundException or TorchLoadException;

    private sealed record Done(PolicyProtocol.IRequest Request, IActorRef Asker, object Answer);

    /// <summary>Lets the first, the last and at most five a second through.</summary>
    private sealed class Throttle
    {
        private long _last;

        public bool Lets(long done, long total)
        {
            var now = Stopwatch.GetTimestamp();
            if (done > 0 && done < total && Stopwatch.GetElapsedTime(_last, now) < TimeSpan.FromMilliseconds(200))
                return false;
            _last = now;
            return true;
        }
    }
}
