using Chorus.Simulation.Data;

namespace Chorus.Simulation.Tests.Data;

/// <summary>A new folder that is gone when the test is over.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = System.IO.Directory.CreateTempSubdirectory("chorus-test-").FullName;

    public string Write(string name, string content) => Write(name, System.Text.Encoding.UTF8.GetBytes(content));

    public string Write(string name, byte[] content)
    {
        string path = System.IO.Path.Combine(Path, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Three good files with these clients.</summary>
    public void WriteCorpus(string clients = """{"a": ["one two"], "b": ["three"]}""")
    {
        string ten = "[" + string.Join(",", Enumerable.Range(0, 10).Select(i => $"\"text {i}\"")) + "]";
        Write(FederatedCorpus.ClientsFile, clients);
        Write(FederatedCorpus.EvalFile, ten);
        Write(FederatedCorpus.InitialFile, ten);
    }

    public void Dispose() => System.IO.Directory.Delete(Path, recursive: true);
}
