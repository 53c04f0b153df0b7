using Chorus.Actors.Hosting;
using Chorus.Actors.Settings;

namespace Chorus.Actors.Ledger;

/// <summary>
/// A ledger that several runs on one data set share: a folder with a journal of its own, held by one run at a time.
/// </summary>
public sealed class LedgerFiles : IDisposable
{
    /// <summary>Under this id a ledger persists, in its own journal or in its run's.</summary>
    public const string PersistenceId = "ledger";

    /// <summary>The configuration of a shared ledger's journal (Hocon/cluster.conf).</summary>
    public const string JournalPlugin = "chorus.ledger-journal";

    private readonly FileStream _held;

    private LedgerFiles(string folder, FileStream held) => (Folder, _held) = (folder, held);

    public string Folder { get; }

    public string Journal => JournalIn(Folder);

    public static string JournalIn(string folder) => Path.Combine(folder, "ledger.db");

    /// <summary>Makes the folder where there is none, and holds it until disposed (or until the process ends, however).</summary>
    /// <exception cref="SettingsException">Another run holds it, or it cannot be written.</exception>
    public static LedgerFiles Hold(string folder)
    {
        folder = Path.GetFullPath(folder);
        try
        {
            PrivateFiles.MakeFolder(folder);
            return new LedgerFiles(folder, new FileStream(Path.Combine(folder, "ledger.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"the ledger {folder} cannot be held: {e.Message}; if another run is using it, wait until that ends: runs on one ledger go one after another");
        }
    }

    public void Dispose() => _held.Dispose();
}
