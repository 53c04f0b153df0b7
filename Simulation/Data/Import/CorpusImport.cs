using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Simulation.Data.Import;

/// <summary>Makes a data folder of record files: the parquet files of LargeFedBench's data sets on the hub, or lists of JSON records.</summary>
/// <remarks>
/// Rows are streamed. Held in memory are a row group, the held-out and the public texts (which a run holds too), 16 bytes for each
/// row to know repeated texts, each client's id, and one stretch of clients while the file is written; private texts pass through
/// a temporary file.
/// </remarks>
public static class CorpusImport
{
    private const int RowsAReport = 1000;

    /// <param name="sources">The .parquet and .json files, in order.</param>
    /// <param name="settings">How rows become a corpus.</param>
    /// <param name="output">The folder to make.</param>
    /// <param name="rowsRead">Told the number of rows read, now and then.</param>
    /// <param name="ct">Ends the work; nothing is left behind.</param>
    /// <exception cref="DataFormatException">A file is missing or damaged, a column is not there, or too few texts come out; the message says what to change.</exception>
    public static async Task<ImportSummary> RunAsync(
        IReadOnlyList<string> sources, ImportSettings settings, string output, IProgress<int>? rowsRead = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(settings);
        if (sources.Count == 0) throw new ArgumentException("sources must name at least one file", nameof(sources));
        string full = CorpusFolder.RequireNew(output);
        using var reading = new Reading(settings);
        foreach (string source in sources) await reading.ReadAsync(source, rowsRead, ct).ConfigureAwait(false);
        return reading.Write(full, sources[0]);
    }

    /// <summary>Where a client falls in [0, 1): held out at the lower end, then public, then private.</summary>
    internal static double PlaceAt(ImportSettings settings, string client) => Keyed(settings, client, 1).Uniform();

    private static KeyedRandom Keyed(ImportSettings settings, string client, ulong purpose) => new(settings.Seed, purpose, (ulong)Fingerprint("client", client));

    private static UInt128 Fingerprint(string kind, string text) =>
        BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{kind}\0{text}")));

    /// <summary>Rows on their way into a corpus.</summary>
    private sealed class Reading(ImportSettings settings) : IDisposable
    {
        private readonly ClientTextSorter _train = new();
        private readonly List<(string Client, string Text, string? Topic)> _eval = [];
        private readonly List<(string Text, string? Topic)> _initial = [.. (settings.Initial ?? []).Select(t => (t, (string?)null))];
        private readonly HashSet<UInt128> _seen = [];
        private ColumnMap? _columns;
        private long _rows, _empty, _incomplete, _outOfRange, _repeated;

        public async Task ReadAsync(string path, IProgress<int>? rowsRead, CancellationToken ct)
        {
            RecordFile file = await RecordFile.OpenAsync(path, ct).ConfigureAwait(false);
            await using (file.ConfigureAwait(false))
            {
                ColumnMap columns = ColumnMap.Of(file, settings.Columns, settings.ByDate);
                _columns ??= columns;
                string[] read = columns.Read;
                int At(string? column) => column is null ? -1 : Array.IndexOf(read, column);
                (int text, int client, int date, int topic, int id) = (At(columns.Text), At(columns.Client), At(columns.Date), At(columns.Topic), At(columns.Id));
                long inFile = 0;
                await foreach (string?[] row in file.ReadAsync(read, ct).ConfigureAwait(false))
                {
                    _rows++;
                    inFile++;
                    string? Value(int at) => at < 0 ? null : row[at];
                    Take(path, inFile, Value(text), client < 0 ? $"row-{_rows:D7}" : Value(client)?.Trim(), date < 0, Value(date), Value(topic)?.Trim(), Value(id));
                    if (_rows % RowsAReport == 0) rowsRead?.Report((int)Math.Min(_rows, int.MaxValue));
                }
                rowsRead?.Report((int)Math.Min(_rows, int.MaxValue));
            }
        }

        public ImportSummary Write(string full, string source)
        {
            // A person's texts are either private or held out: what a model learns of somebody must not help it with the same one's others.
            (string Client, string Text, string? Topic)[] eval = [.. _eval.Where(e => !_train.Has(e.Client))];
            if (_train.Clients == 0)
                throw new DataFormatException(source, null, "rows for at least one private client", $"none among {_rows:N0} rows: look at the dates and shares that split them ({Counts()})");
            Require(eval.Length, "held-out", "--eval-from or --eval-share");
            Require(_initial.Count, "public", "--initial, --initial-before or --initial-share");

            int small = 0;
            long texts = 0;
            bool topics = false;
            int clients;
            using var folder = new CorpusFolder(full);
            using (var writer = new CorpusFolder.ClientsWriter(folder.In(FederatedCorpus.ClientsFile)))
            {
                using var labels = new CorpusFolder.ClientsWriter(folder.In(CorpusTopics.ClientsFile));
                foreach ((string id, List<(string Text, string? Topic)> own) in _train.Read())
                {
                    if (own.Count < settings.MinTexts)
                    {
                        small++;
                        continue;
                    }
                    List<(string Text, string? Topic)> taken = Some(id, own);
                    writer.Write(id, taken.Select(t => t.Text));
                    labels.Write(id, taken.Select(t => t.Topic ?? "unknown"));
                    topics |= taken.Any(t => t.Topic is not null);
                    texts += taken.Count;
                }
                clients = writer.Count;
            }
            if (clients == 0)
                throw new DataFormatException(source, null, $"a client with at least {settings.MinTexts} texts", $"none among {small:N0}: lower --min-texts");
            if (!topics) File.Delete(folder.In(CorpusTopics.ClientsFile));
            WriteList(folder, FederatedCorpus.EvalFile, CorpusTopics.EvalFile, [.. eval.Select(e => (e.Text, e.Topic))]);
            WriteList(folder, FederatedCorpus.InitialFile, CorpusTopics.InitialFile, _initial);
            var summary = new ImportSummary
            {
                Columns = _columns!,
                Rows = _rows,
                Empty = _empty,
                Incomplete = _incomplete,
                OutOfRange = _outOfRange,
                Repeated = _repeated,
                EvalOfClients = _eval.Count - eval.Length,
                SmallClients = small,
                Clients = clients,
                Texts = texts,
                EvalTexts = eval.Length,
                InitialTexts = _initial.Count,
            };
            folder.Complete();
            return summary;
        }

        public void Dispose() => _train.Dispose();

        private void Take(string path, long row, string? text, string? client, bool dateless, string? date, string? topic, string? id)
        {
            string[] pieces = text is null ? [] : [.. settings.Cutter.Pieces(text)];
            if (pieces.Length == 0)
            {
                _empty++;
                return;
            }
            if (string.IsNullOrEmpty(client) || (!dateless && string.IsNullOrWhiteSpace(date)))
            {
                _incomplete++;
                return;
            }
            DateOnly? day = dateless ? null : DayOf(path, row, date!);
            if (day < settings.Since || day >= settings.Until)
            {
                _outOfRange++;
                return;
            }
            bool known = !_seen.Add(Fingerprint("text", string.Join(' ', pieces)));
            if (!string.IsNullOrEmpty(id)) known |= !_seen.Add(Fingerprint("id", id));
            if (known)
            {
                _repeated++;
                return;
            }
            if (string.IsNullOrEmpty(topic)) topic = null;
            switch (PlaceOf(client, day))
            {
                case Place.Initial:
                    _initial.AddRange(pieces.Select(p => (p, topic)));
                    break;
                case Place.Eval:
                    _eval.AddRange(pieces.Select(p => (client, p, topic)));
                    break;
                default:
                    foreach (string piece in pieces) _train.Add(client, piece, topic);
                    break;
            }
        }

        private Place PlaceOf(string client, DateOnly? day)
        {
            if (day < settings.InitialBefore) return Place.Initial;
            if (day >= settings.EvalFrom) return Place.Eval;
            if (settings.EvalShare + settings.InitialShare == 0) return Place.Train;
            double at = PlaceAt(settings, client);
            return at < settings.EvalShare ? Place.Eval : at < settings.EvalShare + settings.InitialShare ? Place.Initial : Place.Train;
        }

        /// <summary>All of a client's texts, or as many as it may have, each as likely as any other.</summary>
        private List<(string Text, string? Topic)> Some(string client, List<(string Text, string? Topic)> all)
        {
            if (settings.MaxTexts is not { } most || all.Count <= most) return all;
            KeyedRandom random = Keyed(settings, client, 2);
            var taken = new List<(string, string?)>(most);
            for (int i = 0; i < all.Count; i++)
            {
                // Knuth, algorithm 3.4.2 S: what is still needed, of what is still there.
                if (random.Below(all.Count - i) < most - taken.Count) taken.Add(all[i]);
            }
            return taken;
        }

        private void Require(int count, string what, string options)
        {
            if (count < FederatedCorpus.MinimumTexts)
                throw new DataFormatException("the rows read", null, $"at least {FederatedCorpus.MinimumTexts} {what} texts ({options})", $"{count} ({Counts()})");
        }

        private string Counts() => FormattableString.Invariant(
            $"of {_rows:N0} rows {_empty:N0} had no text, {_incomplete:N0} no client or date, {_outOfRange:N0} were outside of the dates, {_repeated:N0} came before");

        private static void WriteList(CorpusFolder folder, string textFile, string topicFile, IReadOnlyList<(string Text, string? Topic)> texts)
        {
            CorpusFolder.WriteTexts(folder.In(textFile), texts.Select(t => t.Text));
            if (texts.Any(t => t.Topic is not null)) CorpusFolder.WriteTexts(folder.In(topicFile), texts.Select(t => t.Topic ?? "unknown"));
        }

        private static DateOnly DayOf(string path, long row, string date) =>
            DateTime.TryParse(date, CultureInfo.InvariantCulture, DateTimeStyles.AllowWhiteSpaces | DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime at)
                ? DateOnly.FromDateTime(at)
                : throw new DataFormatException(path, null, $"a date such as 2024-03-31 in row {row}", $"\"{date}\"");

        private enum Place
        {
            Train,
            Eval,
            Initial,
        }
    }
}
