using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Chorus.Actors.Settings;

namespace Chorus.Actors.Hosting.Tls;

/// <summary>
/// The certificate authority of one cluster, a folder: <c>authority/</c> with its certificate and key, and for each host a
/// folder with what its node needs (<see cref="NodeCertificate"/>). Whoever has a certificate of the authority is a member, so the
/// authority's key stays where it was made. ECDSA on P-256, TLS by X.509 (RFC 5280).
/// </summary>
public sealed class ClusterAuthority : IDisposable
{
    private const int SerialBytes = 16;

    /// <summary>Clocks of the cluster's machines may differ by so much.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(3650);

    private static readonly OidCollection MutualTls = [new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")];

    private readonly string _folder;
    private readonly X509Certificate2 _certificate;
    private readonly TimeProvider _time;

    private ClusterAuthority(string folder, X509Certificate2 certificate, TimeProvider time) => (_folder, _certificate, _time) = (folder, certificate, time);

    /// <summary>Opens the authority in a folder, or makes one where there is none.</summary>
    /// <param name="made">Whether it was made.</param>
    /// <exception cref="SettingsException">The folder holds something else, or cannot be written.</exception>
    public static ClusterAuthority In(string folder, TimeProvider time, out bool made)
    {
        folder = Path.GetFullPath(folder);
        var (certificate, key) = (Path.Combine(folder, "authority", "ca.crt"), Path.Combine(folder, "authority", "ca.key"));
        made = !File.Exists(certificate);
        try
        {
            if (!made)
                return new ClusterAuthority(folder, X509Certificate2.CreateFromPemFile(certificate, key), time);
            if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
                throw new SettingsException($"{folder} is not empty and holds no authority: choose another --out");
            PrivateFiles.MakeFolder(folder);
            var authority = new ClusterAuthority(folder, Make(time), time);
            PrivateFiles.Write(key, authority._certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
            PrivateFiles.Write(certificate, authority._certificate.ExportCertificatePem()); // last: where it is, all is
            return authority;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new SettingsException($"the authority in {folder} cannot be {(made ? "made" : "read")}: {e.Message}");
        }
    }

    /// <summary>Makes the folder of a host's node.</summary>
    /// <param name="host">Its name or IP address, as other nodes reach it.</param>
    /// <param name="validity">How long the certificate is good for.</param>
    /// <returns>The folder; null where there is one already, which is kept.</returns>
    public string? Issue(string host, TimeSpan validity)
    {
        var folder = Path.Combine(_folder, FolderOf(host));
        if (Directory.Exists(folder))
            return null;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
            names.AddIpAddress(address);
        else
            names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(MutualTls, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var now = _time.GetUtcNow();
        // A certificate that outlived its authority would be good for nothing.
        var until = new[] { now + validity, _certificate.NotAfter }.Min();
        using var certificate = request.Create(_certificate, now - ClockSkew, until, RandomNumberGenerator.GetBytes(SerialBytes));
        var making = $"{folder}.{Guid.NewGuid():n}.tmp";
        try
        {
            PrivateFiles.MakeFolder(making);
            PrivateFiles.Write(Path.Combine(making, NodeCertificate.KeyFile), key.ExportPkcs8PrivateKeyPem());
            PrivateFiles.Write(Path.Combine(making, NodeCertificate.CertificateFile), certificate.ExportCertificatePem());
            PrivateFiles.Write(Path.Combine(making, NodeCertificate.AuthorityFile), _certificate.ExportCertificatePem());
            Directory.Move(making, folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{folder} cannot be made: {e.Message}");
        }

        return folder;
    }

    public void Dispose() => _certificate.Dispose();

    /// <summary>The name of a host's folder.</summary>
    /// <exception cref="SettingsException">It is neither a name nor an address.</exception>
    public static string FolderOf(string host) =>
        Uri.CheckHostName(host) is UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6 && host != "authority"
            ? host.Replace(':', '_')
            : throw new SettingsException($"\"{host}\" is neither a host's name nor an IP address");

    private static X509Certificate2 Make(TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = string.Create(CultureInfo.InvariantCulture, $"CN=Chorus cluster {RandomNumberGenerator.GetHexString(8, lowercase: true)}");
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        return request.CreateSelfSigned(now - ClockSkew, now + Lifetime);
    }
}
