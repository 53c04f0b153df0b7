using Akka.Actor;
using Chorus.Actors.Policy;
using Chorus.Gpu.Runtime;
using static Chorus.Actors.Evaluation.EvaluationProtocol;

namespace Chorus.Actors.Evaluation;

/// <summary>
/// Owns a run's downstream model: measures what a method is worth and, where clients train the model, keeps its weights. Its ceiling
/// reads every private text, which only a simulator can: that figure is not private, and is switched off by <c>evaluation.ceiling</c>.
/// </summary>
public sealed class EvaluatorActor : DeviceActor
{
    private readonly DeviceThread _device;
    private readonly DownstreamFactory _factory;
    private EvaluationSession? _session; // touched on the device's thread only

    public EvaluatorActor(DeviceThread device, DownstreamFactory factory)
        : base(device) => (_device, _factory) = (device, factory);

    /// <param name="device">The device's thread; not owned.</param>
    /// <param name="factory">Makes the experiment, on the device's thread.</param>
    public static Props Props(DeviceThread device, DownstreamFactory factory) =>
        Akka.Actor.Props.Create(() => new EvaluatorActor(device, factory));

    protected override void PostStop()
    {
        base.PostStop();
        _device.Run(() => _session?.Dispose());
    }

    protected override string StageOf(PolicyProtocol.IRequest request) => request switch
    {
        PolicyProtocol.GenerateCandidates => "generate",
        PolicyProtocol.TunePolicy => "tune",
        _ => "downstream",
    };

    protected override object Work(PolicyProtocol.IRequest request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        if (_session?.Run != request.Run)
        {
            _session?.Dispose();
            _session = null;
            _session = new EvaluationSession(request.Run, request.Folder, (settings, texts) => _factory(settings, texts, ct));
        }

        return request switch
        {
            PolicyProtocol.GenerateCandidates serve => _session.Serve(serve, progress, ct),
            PolicyProtocol.TunePolicy advance => _session.Advance(advance),
            MeasureDownstream measure => _session.Measure(measure, progress, ct),
            _ => throw new ArgumentException($"the evaluator does not know {request.GetType().Name}"),
        };
    }
}
