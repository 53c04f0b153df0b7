using Chorus.Actors.Runs;

namespace Chorus.Actors.Tests.Support;

/// <summary>A prepared run whose actors the test drives itself.</summary>
internal sealed class TinyRunFolder : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TinyRunFolder(string more = "")
    {
        TinyCorpus.Write(_folder.In("data"), TestRun.Clients);
        Context = Another(more, "run");
    }

    public RunContext Context { get; }

    public RunFolder Folder => Context.Folder;

    /// <summary>Another run over the same data.</summary>
    public RunContext Another(string more, string name) =>
        RunPreparation.New(TestRun.Settings(_folder.In("data"), more), _folder.In(name), null, CancellationToken.None);

    public void Dispose()
    {
        Context.Dispose();
        _folder.Dispose();
    }
}
