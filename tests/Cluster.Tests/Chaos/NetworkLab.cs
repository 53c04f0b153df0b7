using System.Diagnostics;
using System.Globalization;

namespace Chorus.Cluster.Tests.Chaos;

/// <summary>
/// A network of its own for each process: namespaces joined by a bridge, made with iproute2 and gone afterwards. Links are
/// cut by taking them down, muted by a wrong neighbour address (packets leave for nobody), slowed by netem or, where the
/// kernel has none, by a narrow token bucket. Nothing of the machine's own network is touched.
/// </summary>
internal sealed class NetworkLab : IDisposable
{
    private const string Prefix = "chorus-lab-";

    private readonly string _id = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}");
    private readonly List<int> _hosts = [];
    private bool? _netem;

    private NetworkLab()
    {
        RemoveOrphans();
        Ip($"netns add {Switch}");
        Ip($"-n {Switch} link add br0 type bridge");
        Ip($"-n {Switch} link set br0 up");
    }

    /// <summary>Why there can be none here; null where there can.</summary>
    public static string? Missing { get; } = WhyMissing();

    private string Switch => $"{_id}-s";

    /// <exception cref="InvalidOperationException">There can be none here: see <see cref="Missing"/>.</exception>
    public static NetworkLab Create() => Missing is { } why ? throw new InvalidOperationException(why) : new NetworkLab();

    /// <summary>The address of a host of the lab.</summary>
    public static string AddressOf(int host) => string.Create(CultureInfo.InvariantCulture, $"10.213.7.{host + 1}");

    /// <summary>Adds a host; the same number again changes nothing.</summary>
    public void Add(int host)
    {
        lock (_hosts)
        {
            if (_hosts.Contains(host))
                return;
            _hosts.Add(host);
        }

        Ip($"netns add {Namespace(host)}");
        Ip($"link add eth0 netns {Namespace(host)} type veth peer name p{host} netns {Switch}");
        Ip($"-n {Namespace(host)} link set lo up");
        Ip($"-n {Namespace(host)} addr add {AddressOf(host)}/24 dev eth0");
        Ip($"-n {Namespace(host)} link set eth0 up");
        Ip($"-n {Switch} link set p{host} master br0");
        Ip($"-n {Switch} link set p{host} up");
    }

    /// <summary>The program and first arguments that run something on a host.</summary>
    public string[] On(int host) => ["ip", "netns", "exec", Namespace(host)];

    public void Cut(int host) => Ip($"-n {Switch} link set p{host} down");

    public void Mend(int host) => Ip($"-n {Switch} link set p{host} up");

    public void Mute(int host)
    {
        foreach (var other in Others(host))
            Ip($"-n {Namespace(host)} neigh replace {AddressOf(other)} lladdr 02:00:00:00:00:01 nud permanent dev eth0");
    }

    public void Unmute(int host)
    {
        foreach (var other in Others(host))
            Ip($"-n {Namespace(host)} neigh flush {AddressOf(other)} nud permanent dev eth0");
    }

    public void Slow(int host)
    {
        _netem ??= Run("tc", $"-n {Switch} qdisc add dev br0 root netem delay 1ms") == 0;
        Tc(host, _netem == true ? "netem delay 120ms 80ms 25% reorder 20% duplicate 2% loss 2%" : "tbf rate 96kbit burst 1600 latency 2s");
    }

    public void Hasten(int host)
    {
        Run("tc", $"-n {Namespace(host)} qdisc del dev eth0 root");
        Run("tc", $"-n {Switch} qdisc del dev p{host} root");
    }

    public void Dispose()
    {
        foreach (var host in _hosts)
            Run("ip", $"netns del {Namespace(host)}");
        Run("ip", $"netns del {Switch}");
    }

    private static string? WhyMissing()
    {
        if (!OperatingSystem.IsLinux())
            return "network namespaces are Linux's";
        if (!Environment.IsPrivilegedProcess)
            return "making network namespaces needs root";
        try
        {
            var probe = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-probe");
            if (Run("ip", $"netns add {probe}") != 0)
                return "this machine does not let ip make network namespaces";
            var works = Run("ip", $"-n {probe} link add v0 type veth peer name v1") == 0 && Run("ip", $"-n {probe} link add b0 type bridge") == 0 && Run("tc", "-V") == 0;
            Run("ip", $"netns del {probe}");
            return works ? null : "this kernel has no veth or bridge, or tc is not installed";
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            return "iproute2 is not installed";
        }
    }

    /// <summary>What a lab of a process that was killed left behind.</summary>
    private static void RemoveOrphans()
    {
        const string folder = "/run/netns";
        foreach (var name in Directory.Exists(folder) ? Directory.GetFiles(folder).Select(f => Path.GetFileName(f)) : [])
        {
            if (name.StartsWith(Prefix, StringComparison.Ordinal)
                && int.TryParse(name[Prefix.Length..].Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var owner)
                && !Directory.Exists($"/proc/{owner}"))
            {
                Run("ip", $"netns del {name}");
            }
        }
    }

    private string Namespace(int host) => string.Create(CultureInfo.InvariantCulture, $"{_id}-{host}");

    private int[] Others(int host)
    {
        lock (_hosts)
            return [.. _hosts.Where(h => h != host)];
    }

    private void Tc(int host, string discipline)
    {
        foreach (var end in new[] { $"-n {Namespace(host)} qdisc replace dev eth0", $"-n {Switch} qdisc replace dev p{host}" })
        {
            if (Run("tc", $"{end} root {discipline}") != 0)
                throw new InvalidOperationException($"tc {end} root {discipline} failed");
        }
    }

    private static void Ip(string arguments)
    {
        if (Run("ip", arguments) is var code && code != 0)
            throw new InvalidOperationException($"ip {arguments} failed with exit code {code}");
    }

    private static int Run(string program, string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
