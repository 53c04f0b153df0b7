using Chorus.Actors.Membership;
using Chorus.Actors.Telemetry;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Chorus.Cli.Monitoring;

/// <summary>Chorus' instruments and spans, and the runtime's own metrics, handed to OpenTelemetry's exporters.</summary>
internal sealed class Telemetry : IDisposable
{
    /// <summary>Memory, garbage collections, threads and exceptions of .NET itself.</summary>
    private const string RuntimeMeter = "System.Runtime";

    /// <summary>A collector that is gone does not hold a run's end up for longer.</summary>
    private const int GoodbyeMilliseconds = 3000;

    private readonly TracerProvider? _traces;

    private Telemetry(MeterProvider? metrics, TracerProvider? traces) => (Metrics, _traces) = (metrics, traces);

    /// <summary>Null where nobody wants metrics.</summary>
    public MeterProvider? Metrics { get; }

    /// <param name="collector">Where to send metrics and traces; null: nowhere, unless OTEL_EXPORTER_OTLP_ENDPOINT says.</param>
    /// <param name="prometheus">Whether metrics are to be read by Prometheus.</param>
    public static Telemetry Start(Uri? collector, bool prometheus)
    {
        var sends = collector is not null || Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 };
        if (!sends && !prometheus)
            return new Telemetry(null, null);
        // What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes last, and wins.
        var resource = ResourceBuilder.CreateEmpty().AddTelemetrySdk().AddService("chorus", serviceVersion: ChorusVersion.Current).AddEnvironmentVariableDetector();
        var metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(ChorusMetrics.Name, RuntimeMeter);
        if (prometheus)
            metrics.AddPrometheusExporter();
        if (!sends)
            return new Telemetry(metrics.Build(), null);
        metrics.AddOtlpExporter(options => Direct(options, collector, "v1/metrics"));
        var traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(ChorusMetrics.Name)
            .AddOtlpExporter(options => Direct(options, collector, "v1/traces"));
        return new Telemetry(metrics.Build(), traces.Build());
    }

    public void Dispose()
    {
        _traces?.Shutdown(GoodbyeMilliseconds);
        _traces?.Dispose();
        Metrics?.Shutdown(GoodbyeMilliseconds);
        Metrics?.Dispose();
    }

    /// <summary>HTTP unless the environment says gRPC; there a signal has a path of its own.</summary>
    private static void Direct(OtlpExporterOptions options, Uri? collector, string path)
    {
        if (collector is null)
            return; // all of it is in the environment, and read from there
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL") is not { Length: > 0 })
            options.Protocol = OtlpExportProtocol.HttpProtobuf;
        options.Endpoint = options.Protocol == OtlpExportProtocol.HttpProtobuf ? new Uri($"{collector.AbsoluteUri.TrimEnd('/')}/{path}") : collector;
    }
}
