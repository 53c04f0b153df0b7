using System.Collections.Immutable;

namespace Chorus.Simulation.Data;

/// <summary>Topics that a data folder names for its texts, in files of the shape of the texts' own: one label for each text.</summary>
/// <remarks>
/// All three files are optional. They tell how a corpus is made up and split accuracies; no client votes with them, and the
/// corpus' hash leaves them out. Labels of private texts are private: they are for whoever runs the simulation.
/// </remarks>
public static class CorpusTopics
{
    /// <summary>{client id: [topic of the first text, ...]}.</summary>
    public const string ClientsFile = "train_topics.json";

    /// <summary>[topic of the first held-out text, ...].</summary>
    public const string EvalFile = "eval_topics.json";

    /// <summary>[topic of the first public text, ...].</summary>
    public const string InitialFile = "initial_topics.json";

    /// <summary>The held-out texts' topics; null where the folder names none.</summary>
    /// <exception cref="DataFormatException">The file is no list of as many labels.</exception>
    public static ImmutableArray<string>? ReadEval(FederatedCorpus corpus) => Read(corpus, EvalFile, corpus.Eval.Length, FederatedCorpus.EvalFile);

    /// <summary>The public texts' topics; null where the folder names none.</summary>
    /// <exception cref="DataFormatException">The file is no list of as many labels.</exception>
    public static ImmutableArray<string>? ReadInitial(FederatedCorpus corpus) => Read(corpus, InitialFile, corpus.Initial.Length, FederatedCorpus.InitialFile);

    /// <summary>The clients' topics, client by client as the corpus has them; null where the folder names none. The caller disposes it.</summary>
    /// <exception cref="DataFormatException">The file is no object of the same clients, each with as many labels.</exception>
    public static ClientFile? OpenClients(FederatedCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        string path = Path.Combine(corpus.Directory, ClientsFile);
        if (!File.Exists(path)) return null;
        ClientFile topics = ClientFile.Open(path);
        try
        {
            if (topics.Count != corpus.Clients.Count)
                throw new DataFormatException(path, null, $"the {corpus.Clients.Count} clients of {FederatedCorpus.ClientsFile}", $"{topics.Count}");
            for (int client = 0; client < topics.Count; client++)
            {
                if (topics.IdOf(client) != corpus.Clients.IdOf(client))
                    throw new DataFormatException(path, null, $"client \"{corpus.Clients.IdOf(client)}\" at place {client + 1}, as in {FederatedCorpus.ClientsFile}", $"\"{topics.IdOf(client)}\"");
                if (topics.TextCountOf(client) != corpus.Clients.TextCountOf(client))
                    throw new DataFormatException(path, null, $"{corpus.Clients.TextCountOf(client)} topics of client \"{topics.IdOf(client)}\", one for each text", $"{topics.TextCountOf(client)}");
            }
            return topics;
        }
        catch
        {
            topics.Dispose();
            throw;
        }
    }

    private static ImmutableArray<string>? Read(FederatedCorpus corpus, string file, int count, string of)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        string path = Path.Combine(corpus.Directory, file);
        if (!File.Exists(path)) return null;
        ImmutableArray<string> topics = TextListFile.Read(path).Texts;
        return topics.Length == count
            ? topics
            : throw new DataFormatException(path, null, $"{count} topics, one for each text of {of}", $"{topics.Length}");
    }
}
