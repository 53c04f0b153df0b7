using Akka.Actor;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using static Chorus.Actors.Policy.PolicyProtocol;

namespace Chorus.Actors.Policy;

/// <summary>Makes a policy for a run: its settings, the public texts, where to say how far it is.</summary>
public delegate IPolicy PolicyFactory(RunSettings settings, IReadOnlyList<string> publicTexts, Action<string, long, long, string> progress, CancellationToken ct);

/// <summary>Owns a run's policy: writes candidates, learns from preference pairs, writes the synthetic data.</summary>
public sealed class PolicyActor : DeviceActor
{
    private readonly DeviceThread _device;
    private readonly PolicyFactory _factory;
    private PolicySession? _session; // touched on the device's thread only

    public PolicyActor(DeviceThread device, PolicyFactory factory)
        : base(device) => (_device, _factory) = (device, factory);

    /// <param name="device">The device's thread; not owned.</param>
    /// <param name="factory">Makes the policy, on the device's thread, at the first request.</param>
    public static Props Props(DeviceThread device, PolicyFactory factory) =>
        Akka.Actor.Props.Create(() => new PolicyActor(device, factory));

    protected override void PostStop()
    {
        base.PostStop();
        _device.Run(() => _session?.Dispose());
    }

    protected override string StageOf(IRequest request) => request switch
    {
        GenerateCandidates => "generate",
        TunePolicy => "tune",
        _ => "synthesize",
    };

    protected override object Work(IRequest request, Action<string, long, long, string> progress, CancellationToken ct)
    {
        if (_session?.Run != request.Run)
        {
            _session?.Dispose();
            _session = null;
            _session = new PolicySession(request.Run, request.Folder, (settings, texts) => _factory(settings, texts, progress, ct));
        }

        return request switch
        {
            GenerateCandidates generate => _session.Generate(generate, progress, ct),
            TunePolicy tune => _session.Tune(tune, progress, ct),
            WriteSynthetic write => _session.WriteSynthetic(write, progress, ct),
            _ => throw new ArgumentException($"the policy does not know {request.GetType().Name}"),
        };
    }
}
