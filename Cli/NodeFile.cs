using System.Globalization;
using Akka.Configuration;
using Chorus.Actors.Settings;

namespace Chorus.Cli;

/// <summary>The file of <c>chorus node --config</c>: <c>node { host, port, roles, seed-nodes, tls, akka, monitor, monitor-host, otlp }</c>, each optional.</summary>
internal sealed record NodeFile(string? Host, int? Port, string? Roles, string[]? SeedNodes, string? Tls, string? Akka, int? Monitor, string? MonitorHost, string? Otlp)
{
    private static readonly string[] Keys = ["host", "port", "roles", "seed-nodes", "tls", "akka", "monitor", "monitor-host", "otlp"];

    /// <exception cref="SettingsException">The file cannot be read, or holds something else.</exception>
    public static NodeFile Read(string file)
    {
        var config = HoconFiles.Read(file).GetConfig("node")
            ?? throw new SettingsException($"{file}: expected node {{ {string.Join(", ", Keys)} }}");
        if (config.AsEnumerable().Select(pair => pair.Key).FirstOrDefault(key => !Keys.Contains(key)) is { } unknown)
            throw new SettingsException($"{file}: unknown key node.{unknown}; the keys are {string.Join(", ", Keys)}");
        return new NodeFile(
            Text(config, "host"), PortOf(config, file, "port"), JoinedList(config, "roles"), List(config, "seed-nodes"), Text(config, "tls"), Text(config, "akka"),
            PortOf(config, file, "monitor"), Text(config, "monitor-host"), Text(config, "otlp"));
    }

    private static string? Text(Config config, string key) => config.HasPath(key) ? config.GetString(key) : null;

    private static int? PortOf(Config config, string file, string key) =>
        Text(config, key) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port
        : throw new SettingsException($"{file}: node.{key} must be in [0, 65535], got \"{text}\"");

    private static string[]? List(Config config, string key) => config.HasPath(key) ? [.. config.GetStringList(key)] : null;

    private static string? JoinedList(Config config, string key) => List(config, key) is { } list ? string.Join(',', list) : null;
}
