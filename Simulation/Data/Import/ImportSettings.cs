namespace Chorus.Simulation.Data.Import;

/// <summary>How records become a corpus.</summary>
public sealed record ImportSettings
{
    public ColumnNames Columns { get; init; } = new();

    /// <summary>How texts are cut.</summary>
    public required TextCutter Cutter { get; init; }

    /// <summary>Rows before this date are left out: a corpus that a published model cannot have been trained on begins after its training data ends.</summary>
    public DateOnly? Since { get; init; }

    /// <summary>Rows at or after this date are left out.</summary>
    public DateOnly? Until { get; init; }

    /// <summary>Rows before this date are public.</summary>
    public DateOnly? InitialBefore { get; init; }

    /// <summary>Rows at or after this date are held out.</summary>
    public DateOnly? EvalFrom { get; init; }

    /// <summary>Share of the clients whose texts are public, in [0, 1).</summary>
    public double InitialShare { get; init => field = Share(nameof(InitialShare), value); }

    /// <summary>Share of the clients whose texts are held out, in [0, 1).</summary>
    public double EvalShare { get; init => field = Share(nameof(EvalShare), value); }

    /// <summary>Texts that are public from the beginning, such as an <c>initial_set.json</c>; null where rows are.</summary>
    public IReadOnlyList<string>? Initial { get; init; }

    /// <summary>Clients with fewer texts are left out.</summary>
    public int MinTexts { get; init => field = value >= 1 ? value : throw Refuse(nameof(MinTexts), "at least 1", value); } = 1;

    /// <summary>Of a client with more texts so many are taken, drawn by the seed; null takes all.</summary>
    public int? MaxTexts { get; init => field = value is null or >= 1 ? value : throw Refuse(nameof(MaxTexts), "at least 1", value); }

    /// <summary>Decides which clients are public or held out, and which texts of a large client are taken.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Whether rows must have a date.</summary>
    internal bool ByDate => (Since ?? Until ?? InitialBefore ?? EvalFrom) is not null;

    private static double Share(string name, double value) => value is >= 0 and < 1 ? value : throw Refuse(name, "in [0, 1)", value);

    private static ArgumentOutOfRangeException Refuse(string name, string range, object? value) =>
        new(name, FormattableString.Invariant($"{name} must be {range}, got {value}"));
}

/// <summary>What became of the rows of an import.</summary>
public sealed record ImportSummary
{
    /// <summary>The columns read, of the first file.</summary>
    public required ColumnMap Columns { get; init; }

    public required long Rows { get; init; }

    /// <summary>Rows without a word of text.</summary>
    public required long Empty { get; init; }

    /// <summary>Rows without a client or a date where one is needed.</summary>
    public required long Incomplete { get; init; }

    /// <summary>Rows outside of the dates asked for.</summary>
    public required long OutOfRange { get; init; }

    /// <summary>Rows whose text, or whose id, came before.</summary>
    public required long Repeated { get; init; }

    /// <summary>Held-out texts left out because their client has private texts too.</summary>
    public required long EvalOfClients { get; init; }

    /// <summary>Clients left out for having too few texts.</summary>
    public required int SmallClients { get; init; }

    public required int Clients { get; init; }

    public required long Texts { get; init; }

    public required int EvalTexts { get; init; }

    public required int InitialTexts { get; init; }
}
