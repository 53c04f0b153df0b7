using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Akka.Event;
using Akka.Remote.Transport.DotNetty;
using Chorus.Actors.Settings;

namespace Chorus.Actors.Hosting.Tls;

/// <summary>
/// What a node shows to others, and whom it believes: a folder with <c>ca.crt</c>, <c>node.crt</c> and <c>node.key</c>, made by
/// <c>chorus cluster init</c>. Both sides of a connection must show a certificate of the same authority; the machine's own
/// list of authorities plays no part.
/// </summary>
public sealed class NodeCertificate : IDisposable
{
    public const string AuthorityFile = "ca.crt";
    public const string CertificateFile = "node.crt";
    public const string KeyFile = "node.key";

    private readonly X509Certificate2 _authority;
    private readonly X509Certificate2 _own;
    private readonly TimeProvider _time;

    private NodeCertificate(string folder, X509Certificate2 authority, X509Certificate2 own, TimeProvider time) =>
        (Folder, _authority, _own, _time) = (folder, authority, own, time);

    public string Folder { get; }

    /// <summary>Opens a node's folder.</summary>
    /// <exception cref="SettingsException">A file is missing or damaged, the key can be read by others, or the certificate is not (or no longer) good.</exception>
    public static NodeCertificate Load(string folder, TimeProvider time)
    {
        folder = Path.GetFullPath(folder);
        foreach (var file in new[] { AuthorityFile, CertificateFile, KeyFile })
        {
            if (!File.Exists(Path.Combine(folder, file)))
                throw new SettingsException($"--tls: there is no {file} in {folder}: 'chorus cluster init --out DIR --hosts HOST' makes a folder for each host of a cluster");
        }

        var key = Path.Combine(folder, KeyFile);
        if (PrivateFiles.IsOpenToOthers(key))
            throw new SettingsException($"--tls: {key} can be read by others: chmod 600 it (and make new certificates if somebody has)");
        try
        {
            var certificate = new NodeCertificate(
                folder, X509CertificateLoader.LoadCertificateFromFile(Path.Combine(folder, AuthorityFile)), WithKey(Path.Combine(folder, CertificateFile), key), time);
            return certificate.WhyNot(certificate._own) is { } why
                ? throw new SettingsException($"--tls: {Path.Combine(folder, CertificateFile)} {why}")
                : certificate;
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"--tls: the certificates in {folder} cannot be read: {e.Message}");
        }
    }

    /// <summary>What Akka's transport needs to let in and to believe only nodes of the same authority.</summary>
    /// <param name="refused">Told why a peer was refused, on the thread of its connection.</param>
    public DotNettySslSetup Setup(Action<string> refused) => new(
        _own, suppressValidation: false, requireMutualAuthentication: true,
        (certificate, _, peer, _, log) =>
        {
            var why = certificate is null ? "shows no certificate" : WhyNot(certificate);
            if (why is null)
                return true;
            var said = $"refused {NameOf(peer)}: {(certificate is null ? "it" : $"its certificate ({certificate.Subject})")} {why}";
            log.Debug(said);
            refused(said);
            return false;
        });

    /// <summary>Why a certificate is not one of this cluster's; null where it is.</summary>
    internal string? WhyNot(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.VerificationTime = _time.GetLocalNow().DateTime;
        if (chain.Build(certificate))
            return null;
        var now = _time.GetUtcNow();
        if (certificate.NotAfter.ToUniversalTime() < now)
            return string.Create(CultureInfo.InvariantCulture, $"expired on {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd}: make new ones with 'chorus cluster init'");
        if (certificate.NotBefore.ToUniversalTime() > now)
            return string.Create(CultureInfo.InvariantCulture, $"is not valid before {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd HH:mm} UTC: does one of the machines have a wrong clock?");
        return $"is not of this cluster's authority ({_authority.Subject}): all nodes need certificates of one 'chorus cluster init'";
    }

    public void Dispose()
    {
        _own.Dispose();
        _authority.Dispose();
    }

    /// <summary>Who it is, for people: of one that connected its host (its port means nothing), of one that was connected to host and port.</summary>
    private static string NameOf(string? peer) =>
        IPEndPoint.TryParse(peer ?? "", out var connected) ? $"{(connected.Address.IsIPv4MappedToIPv6 ? connected.Address.MapToIPv4() : connected.Address)}"
        : string.IsNullOrEmpty(peer) ? "a node"
        : peer[(peer.LastIndexOf('@') + 1)..];

    private static X509Certificate2 WithKey(string certificate, string key)
    {
        var loaded = X509Certificate2.CreateFromPemFile(certificate, key);
        if (!OperatingSystem.IsWindows())
            return loaded;
        // Windows' TLS takes no key that lives in memory only.
        using (loaded)
            return X509CertificateLoader.LoadPkcs12(loaded.Export(X509ContentType.Pkcs12), null);
    }
}
