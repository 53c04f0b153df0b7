using System.Text;

namespace Chorus.Simulation.Data;

/// <summary>Brings texts that come in any order together client by client, on disk: only one stretch of clients is ever held.</summary>
/// <remarks>Clients come out in the order in which they were first met, a client's texts in theirs.</remarks>
internal sealed class ClientTextSorter : IDisposable
{
    private readonly int _clientsAStretch;
    private readonly string _directory;
    private readonly Dictionary<string, int> _clients = new(StringComparer.Ordinal);
    private readonly List<BinaryWriter> _stretches = [];

    /// <param name="clientsAStretch">Clients held at a time when they are read back.</param>
    public ClientTextSorter(int clientsAStretch = 16_384)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(clientsAStretch);
        _clientsAStretch = clientsAStretch;
        _directory = Directory.CreateTempSubdirectory("chorus-sort-").FullName;
    }

    /// <summary>Where the texts lie in the meantime.</summary>
    internal string Folder => _directory;

    /// <summary>Clients met.</summary>
    public int Clients => _clients.Count;

    /// <summary>Whether a client was met.</summary>
    public bool Has(string client) => _clients.ContainsKey(client);

    /// <param name="client">The client's id.</param>
    /// <param name="text">A text of its own.</param>
    /// <param name="topic">What it is about, if that is known.</param>
    public void Add(string client, string text, string? topic)
    {
        if (!_clients.TryGetValue(client, out int index)) _clients[client] = index = _clients.Count;
        int stretch = index / _clientsAStretch;
        while (_stretches.Count <= stretch) _stretches.Add(new BinaryWriter(File.Create(FileOf(_stretches.Count), bufferSize: 1 << 16), Encoding.UTF8));
        BinaryWriter writer = _stretches[stretch];
        writer.Write(index % _clientsAStretch);
        writer.Write(text);
        writer.Write(topic is not null);
        if (topic is not null) writer.Write(topic);
    }

    /// <summary>Reads all clients back; nothing can be added any more.</summary>
    public IEnumerable<(string Id, List<(string Text, string? Topic)> Texts)> Read()
    {
        foreach (BinaryWriter writer in _stretches) writer.Dispose();
        string[] ids = new string[_clients.Count];
        foreach ((string id, int index) in _clients) ids[index] = id;
        for (int stretch = 0; stretch < _stretches.Count; stretch++)
        {
            int first = stretch * _clientsAStretch;
            var texts = new List<(string, string?)>[Math.Min(_clientsAStretch, ids.Length - first)];
            using (var reader = new BinaryReader(File.OpenRead(FileOf(stretch)), Encoding.UTF8))
            {
                while (reader.BaseStream.Position < reader.BaseStream.Length)
                {
                    int at = reader.ReadInt32();
                    string text = reader.ReadString();
                    (texts[at] ??= []).Add((text, reader.ReadBoolean() ? reader.ReadString() : null));
                }
            }
            for (int i = 0; i < texts.Length; i++) yield return (ids[first + i], texts[i]);
        }
    }

    public void Dispose()
    {
        foreach (BinaryWriter writer in _stretches) writer.Dispose();
        Directory.Delete(_directory, recursive: true);   // private texts stay nowhere
    }

    private string FileOf(int stretch) => Path.Combine(_directory, $"{stretch}");
}
