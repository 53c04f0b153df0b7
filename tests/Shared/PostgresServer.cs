using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Chorus.Tests;

/// <summary>
/// A PostgreSQL server of the test's own in a temporary folder: on loopback, with a password, gone afterwards. PostgreSQL does not
/// run as root; there it is given to the user nobody.
/// </summary>
internal sealed class PostgresServer : IDisposable
{
    private const string User = "chorus";
    private const string Unprivileged = "nobody";

    private readonly string _folder = Directory.CreateTempSubdirectory("chorus-postgres-").FullName;
    private readonly int _port = FreePort();

    public PostgresServer()
    {
        try
        {
            File.WriteAllText(PasswordFile, Password);
            File.WriteAllText(PassFile, $"127.0.0.1:{_port}:*:{User}:{Password}\n");
            Run("chmod", "600", PassFile);
            if (Environment.IsPrivilegedProcess)
                Run("chown", "-R", Unprivileged, _folder);
            RunAsServer("initdb", "--pgdata", Data, "--username", User, "--pwfile", PasswordFile, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync");
            if (Environment.IsPrivilegedProcess)
                Run("chown", "root", PassFile); // the client's
            Start();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Why there can be none here; null where there can.</summary>
    public static string? Missing { get; } =
        OperatingSystem.IsWindows() ? "the test's PostgreSQL server wants a Unix"
        : Folder() is null ? "PostgreSQL's initdb and pg_ctl are not installed (Debian: apt install postgresql)"
        : Environment.IsPrivilegedProcess && !IsThere("/usr/bin/setpriv") ? "as root, PostgreSQL is started by setpriv, which is not installed"
        : null;

    /// <summary>The server's password: what must be in no file of a run, and in nothing that is said.</summary>
    public string Password { get; } = RandomNumberGenerator.GetHexString(24, lowercase: true);

    /// <summary>A connection string without the password.</summary>
    public string ConnectionWithoutPassword => $"Host=127.0.0.1;Port={_port};Database=postgres;Username={User}";

    /// <summary>A connection string that names the file that has it.</summary>
    public string Connection => $"{ConnectionWithoutPassword};Passfile={PassFile}";

    private string Data => Path.Combine(_folder, "data");

    private string PasswordFile => Path.Combine(_folder, "password");

    private string PassFile => Path.Combine(_folder, "pgpass");

    /// <summary>Without fsync: what survives is not for this test to see.</summary>
    public void Start() => RunAsServer(
        "pg_ctl", "--pgdata", Data, "--wait", "--log", Path.Combine(_folder, "log"), "-o", $"-F -p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", "start");

    /// <summary>At once, whoever is connected.</summary>
    public void Stop() => RunAsServer("pg_ctl", "--pgdata", Data, "--wait", "--mode", "immediate", "stop");

    public void Dispose()
    {
        if (File.Exists(Path.Combine(Data, "postmaster.pid")))
            Stop();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The programs' folder: Debian's are below a folder for each version, and not on the path.</summary>
    private static string? Folder()
    {
        var versions = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(v => v, StringComparer.Ordinal).Select(v => Path.Combine(v, "bin")) : [];
        return versions.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')).FirstOrDefault(f => IsThere(Path.Combine(f, "initdb")) && IsThere(Path.Combine(f, "pg_ctl")));
    }

    private static bool IsThere(string file) => File.Exists(file);

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private void RunAsServer(string program, params string[] arguments)
    {
        var path = Path.Combine(Folder()!, program);
        if (Environment.IsPrivilegedProcess)
            Run("/usr/bin/setpriv", ["--reuid", Unprivileged, "--clear-groups", path, .. arguments]);
        else
            Run(path, arguments);
    }

    private void Run(string program, params string[] arguments)
    {
        try
        {
            // Nothing is read from it: the server would keep a pipe open.
            using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "out=$1; shift; exec \"$@\" </dev/null >\"$out\" 2>&1", "sh", Path.Combine(_folder, "said"), program, .. arguments]) { WorkingDirectory = _folder })!;
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {File.ReadAllText(Path.Combine(_folder, "said"))}");
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{program} does not run: {e.Message}");
        }
    }
}

/// <summary>A fact that needs a PostgreSQL server, and is skipped with the reason where none can be started.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresFactAttribute : FactAttribute
{
    public PostgresFactAttribute() => Skip = PostgresServer.Missing;
}
