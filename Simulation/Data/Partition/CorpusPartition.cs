using System.Globalization;

namespace Chorus.Simulation.Data.Partition;

/// <summary>Divides a corpus' private texts among clients anew; held-out and public texts stay what they are.</summary>
/// <remarks>
/// Texts pass through a temporary file: held are a few numbers for each, and one stretch of clients while they are written. Clients that
/// are made here are nobody: what is promised to them is promised to no person, so such a corpus is for experiments.
/// </remarks>
public static class CorpusPartition
{
    private const ulong KeepStream = 4, CutStream = 5;

    /// <param name="corpus">The corpus to divide.</param>
    /// <param name="settings">How.</param>
    /// <param name="output">The folder to make.</param>
    /// <param name="clientsRead">Told the number of clients read, now and then.</param>
    /// <param name="ct">Ends the work; nothing is left behind.</param>
    /// <exception cref="DataFormatException">The output is not empty, the data's topics do not fit its texts, or no client comes out.</exception>
    public static PartitionSummary Run(FederatedCorpus corpus, PartitionSettings settings, string output, IProgress<int>? clientsRead = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.MaxTexts < settings.MinTexts)
            throw new ArgumentException($"MaxTexts must be at least MinTexts, {settings.MinTexts}, got {settings.MaxTexts}");
        if (settings.Kind == PartitionKind.PowerLaw && settings.Exponent is null)
            throw new ArgumentException("a power law needs an Exponent");
        if (settings.Exponent is not null && settings.MaxTexts > 1_000_000)
            throw new ArgumentException($"MaxTexts of a power law must be at most 1000000, got {settings.MaxTexts}");
        string full = CorpusFolder.RequireNew(output);
        using ClientTexts? labels = CorpusTopics.OpenClients(corpus);
        PrivateTopics? topics = settings.Kind == PartitionKind.Dirichlet ? PrivateTopics.Of(corpus, labels, settings.Topics, ct) : null;
        Func<int, int, string?> place = settings.Kind == PartitionKind.Natural ? Natural(corpus, settings) : Dealt(corpus, settings, topics);
        using var sorter = new ClientTextSorter();
        long written = 0;
        for (int client = 0, text = 0; client < corpus.Clients.Count; client++)
        {
            ct.ThrowIfCancellationRequested();
            IReadOnlyList<string> own = corpus.Clients.ReadTexts(client);
            IReadOnlyList<string>? ownTopics = labels?.ReadTexts(client);
            for (int i = 0; i < own.Count; i++, text++)
            {
                if (place(client, text) is not { } id) continue;
                sorter.Add(id, own[i], ownTopics?[i] ?? topics?.NameOf(text));
                written++;
            }
            if (client % 1000 == 999 || client == corpus.Clients.Count - 1) clientsRead?.Report(client + 1);
        }
        if (sorter.Clients == 0)
            throw new DataFormatException(corpus.Directory, null, $"a client of at least {settings.MinTexts} texts", "none: lower --min-texts, or the texts a client");
        using var folder = new CorpusFolder(full);
        Write(corpus, settings, sorter, labels is not null || topics is not null, topics, folder);
        folder.Complete();
        return new PartitionSummary(sorter.Clients, written, corpus.Clients.TextCount - written, topics?.Names ?? []);
    }

    /// <summary>For a client and the number of a text, the new client's id; null for none.</summary>
    private static Func<int, int, string?> Natural(FederatedCorpus corpus, PartitionSettings settings)
    {
        int[] large = [.. Enumerable.Range(0, corpus.Clients.Count).Where(c => corpus.Clients.TextCountOf(c) >= settings.MinTexts)];
        if (settings.Clients is { } wanted)
        {
            if (wanted > large.Length)
                throw new DataFormatException(corpus.Directory, null, FormattableString.Invariant($"{wanted:N0} clients of at least {settings.MinTexts} texts"), FormattableString.Invariant($"{large.Length:N0}: lower --clients or --min-texts"));
            large = [.. large.OrderBy(c => new KeyedRandom(settings.Seed, KeepStream, (ulong)c).Next()).Take(wanted)];
        }
        bool[] kept = new bool[corpus.Clients.Count];
        foreach (int client in large) kept[client] = true;
        // Texts come client by client, so the draw of the client at hand is all that is kept.
        int current = -1, seen = 0, taken = 0;
        KeyedRandom random = default;
        return (client, _) =>
        {
            if (client != current) (current, seen, taken, random) = (client, 0, 0, new KeyedRandom(settings.Seed, CutStream, (ulong)client));
            if (!kept[client]) return null;
            int there = corpus.Clients.TextCountOf(client);
            // Knuth, algorithm 3.4.2 S: what is still needed, of what is still there.
            bool take = random.Below(there - seen++) < Math.Min(settings.MaxTexts, there) - taken;
            if (take) taken++;
            return take ? corpus.Clients.IdOf(client) : null;
        };
    }

    private static Func<int, int, string?> Dealt(FederatedCorpus corpus, PartitionSettings settings, PrivateTopics? topics)
    {
        if (corpus.Clients.TextCount > Array.MaxLength)
            throw new DataFormatException(corpus.Directory, null, $"at most {Array.MaxLength} private texts", $"{corpus.Clients.TextCount}");
        int texts = (int)corpus.Clients.TextCount;
        int[] sizes = ClientSizes.Draw(settings, texts, corpus.Directory);
        int[] client = topics is null
            ? TextDeal.ByChance(texts, sizes, settings.Seed)
            : TextDeal.ByTopic(topics.OfTexts, topics.Names.Count, sizes, settings.Alpha, settings.Seed);
        return (_, text) => client[text] < 0 ? null : string.Create(CultureInfo.InvariantCulture, $"client-{client[text]:D7}");
    }

    private static void Write(FederatedCorpus corpus, PartitionSettings settings, ClientTextSorter sorter, bool withTopics, PrivateTopics? topics, CorpusFolder folder)
    {
        using (var texts = new CorpusFolder.ClientsWriter(folder.In(FederatedCorpus.ClientsFile)))
        using (CorpusFolder.ClientsWriter? labels = withTopics ? new CorpusFolder.ClientsWriter(folder.In(CorpusTopics.ClientsFile)) : null)
        {
            foreach ((string id, List<(string Text, string? Topic)> own) in sorter.Read())
            {
                texts.Write(id, own.Select(t => t.Text));
                labels?.Write(id, own.Select(t => t.Topic!));
            }
        }
        CorpusFolder.WriteTexts(folder.In(FederatedCorpus.EvalFile), corpus.Eval);
        CorpusFolder.WriteTexts(folder.In(FederatedCorpus.InitialFile), corpus.Initial);
        if ((CorpusTopics.ReadEval(corpus) ?? topics?.Label(corpus.Eval)) is { } eval) CorpusFolder.WriteTexts(folder.In(CorpusTopics.EvalFile), eval);
        if ((CorpusTopics.ReadInitial(corpus) ?? topics?.Label(corpus.Initial)) is { } initial) CorpusFolder.WriteTexts(folder.In(CorpusTopics.InitialFile), initial);
        CorpusFolder.WriteJson(folder.In("partition.json"), writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("about", "Private texts of another corpus, divided among clients anew by chorus data partition.");
            writer.WriteString("source_sha256", corpus.Sha256);
            writer.WriteString("settings", settings.ToString());
            writer.WriteEndObject();
        });
    }
}
