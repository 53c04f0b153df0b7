using System.Security.Cryptography.X509Certificates;
using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Hosting.Tls;

public sealed class NodeCertificateTests : IDisposable
{
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);

    private readonly TemporaryFolder _folder = new();
    private readonly SetClock _clock = new(DateTimeOffset.UtcNow);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_two_hosts_of_one_authority_When_each_looks_at_the_others_certificate_Then_it_believes_it()
    {
        using var first = Load(Issue("tls", "10.0.0.1"));
        using var second = Load(Issue("tls", "node-2.example"));

        Assert.Null(first.WhyNot(CertificateIn(second.Folder)));
        Assert.Null(second.WhyNot(CertificateIn(first.Folder)));
    }

    [Fact]
    public void Given_another_authority_When_its_certificate_is_looked_at_Then_it_is_refused_by_name()
    {
        using var own = Load(Issue("tls", "10.0.0.1"));

        var why = own.WhyNot(CertificateIn(Issue("others", "10.0.0.1")));

        Assert.Contains("not of this cluster's authority (CN=Chorus cluster ", why, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_certificate_that_another_certificate_signed_When_looked_at_Then_it_is_refused()
    {
        // A member must not be able to make members: its key is no authority's.
        var node = Issue("tls", "10.0.0.1");
        using var own = Load(node);
        using var signer = X509Certificate2.CreateFromPemFile(Path.Combine(node, NodeCertificate.CertificateFile), Path.Combine(node, NodeCertificate.KeyFile));
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new CertificateRequest("CN=intruder", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        using var forged = request.Create(
            signer.SubjectName, X509SignatureGenerator.CreateForECDsa(signer.GetECDsaPrivateKey()!), signer.NotBefore, signer.NotAfter, [1, 2, 3]);

        Assert.NotNull(own.WhyNot(forged));
    }

    [Fact]
    public void Given_a_certificate_that_ran_out_When_looked_at_or_loaded_Then_it_is_refused_with_the_day()
    {
        var old = Issue("tls", "10.0.0.1", TimeSpan.FromDays(3));
        using var own = Load(Issue("tls", "10.0.0.2"));
        _clock.Now += TimeSpan.FromDays(4);

        Assert.Contains($"expired on {_clock.Now.AddDays(-1):yyyy-MM-dd}", own.WhyNot(CertificateIn(old)), StringComparison.Ordinal);
        Assert.Contains("expired on", Assert.Throws<SettingsException>(() => Load(old)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_machine_whose_clock_is_years_behind_When_it_looks_at_a_certificate_Then_it_asks_for_the_clock()
    {
        using var own = Load(Issue("tls", "10.0.0.2"));
        _clock.Now -= Year;
        Assert.Contains("wrong clock", own.WhyNot(CertificateIn(own.Folder)), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_clock_that_is_minutes_behind_When_it_looks_at_a_fresh_certificate_Then_it_believes_it()
    {
        using var own = Load(Issue("tls", "10.0.0.2"));
        _clock.Now -= TimeSpan.FromMinutes(5);
        Assert.Null(own.WhyNot(CertificateIn(own.Folder)));
    }

    [Fact]
    public void Given_a_key_that_others_can_read_When_loaded_Then_it_is_refused_with_the_way_out()
    {
        if (OperatingSystem.IsWindows())
            return;
        var node = Issue("tls", "10.0.0.1");
        File.SetUnixFileMode(Path.Combine(node, NodeCertificate.KeyFile), UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains("chmod 600", Assert.Throws<SettingsException>(() => Load(node)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(NodeCertificate.AuthorityFile)]
    [InlineData(NodeCertificate.CertificateFile)]
    [InlineData(NodeCertificate.KeyFile)]
    public void Given_a_folder_that_misses_or_spoils_a_file_When_loaded_Then_it_is_named(string file)
    {
        var node = Issue("tls", "10.0.0.1");
        var path = Path.Combine(node, file);
        var content = File.ReadAllText(path);
        File.WriteAllText(path, content[..(content.Length / 2)]);
        Assert.Contains(node, Assert.Throws<SettingsException>(() => Load(node)).Message, StringComparison.Ordinal);
        File.Delete(path);
        Assert.Contains($"no {file} in {node}", Assert.Throws<SettingsException>(() => Load(node)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_an_authority_that_is_there_When_a_host_is_added_Then_it_is_the_same_authority_and_nothing_is_written_over()
    {
        var first = Issue("tls", "10.0.0.1");
        var before = File.ReadAllText(Path.Combine(first, NodeCertificate.CertificateFile));
        using var authority = ClusterAuthority.In(_folder.In("tls"), _clock, out var made);

        Assert.False(made);
        Assert.Null(authority.Issue("10.0.0.1", Year));
        using var second = Load(authority.Issue("10.0.0.2", Year)!);
        Assert.Null(second.WhyNot(CertificateIn(first)));
        Assert.Equal(before, File.ReadAllText(Path.Combine(first, NodeCertificate.CertificateFile)));
    }

    [Fact]
    public void Given_a_new_authority_When_its_files_are_looked_at_Then_they_are_their_owners_alone()
    {
        if (OperatingSystem.IsWindows())
            return;
        Issue("tls", "10.0.0.1");
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        foreach (var path in Directory.EnumerateFileSystemEntries(_folder.In("tls"), "*", SearchOption.AllDirectories).Append(_folder.In("tls")))
            Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(path) & ~owner);
    }

    [Theory]
    [InlineData("../elsewhere")]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("authority")]
    public void Given_a_host_that_is_none_When_issued_Then_it_is_refused(string host)
    {
        using var authority = ClusterAuthority.In(_folder.In("tls"), _clock, out _);
        Assert.Throws<SettingsException>(() => authority.Issue(host, Year));
    }

    [Fact]
    public void Given_a_folder_with_other_things_When_an_authority_is_to_be_made_in_it_Then_it_is_refused()
    {
        Directory.CreateDirectory(_folder.In("full"));
        File.WriteAllText(Path.Combine(_folder.In("full"), "thesis.txt"), "mine");
        Assert.Contains("not empty", Assert.Throws<SettingsException>(() => ClusterAuthority.In(_folder.In("full"), _clock, out _)).Message, StringComparison.Ordinal);
    }

    private string Issue(string authority, string host, TimeSpan? validity = null)
    {
        using var made = ClusterAuthority.In(_folder.In(authority), _clock, out _);
        return made.Issue(host, validity ?? Year)!;
    }

    private NodeCertificate Load(string folder) => NodeCertificate.Load(folder, _clock);

    private static X509Certificate2 CertificateIn(string folder) => X509CertificateLoader.LoadCertificateFromFile(Path.Combine(folder, NodeCertificate.CertificateFile));
}
