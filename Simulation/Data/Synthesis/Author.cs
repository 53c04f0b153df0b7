namespace Chorus.Simulation.Data.Synthesis;

/// <summary>A made-up client: its number of texts, and its texts on its own mixture of topics and styles.</summary>
/// <remarks>
/// The mixtures are never drawn: a Pólya urn gives the texts' topics the very law that drawing p from
/// Dirichlet(alpha * population) and topics from p would (Blackwell and MacQueen 1973), with nothing beyond + - * / to compute:
/// text i has a new topic from the population with probability alpha / (alpha + i), else that of an earlier text.
/// </remarks>
internal sealed class Author(SynthesisSettings settings, ulong stream, int index)
{
    private static readonly Lazy<Grammar> Congress = new(() => new Grammar(CongressGrammar.Source));
    private static readonly Lazy<Grammar> Biorxiv = new(() => new Grammar(BiorxivGrammar.Source));
    private static readonly int[] PrivateTopics = Cumulate(Mixtures.PrivateTopics);
    private static readonly int[] PrivateStyles = Cumulate(Mixtures.PrivateStyles);

    public static Grammar GrammarOf(CorpusFlavour flavour) => flavour switch
    {
        CorpusFlavour.Congress => Congress.Value,
        CorpusFlavour.Biorxiv => Biorxiv.Value,
        _ => throw new InvalidOperationException($"no such flavour: {flavour}"),
    };

    /// <summary>Running totals of weights.</summary>
    public static int[] Cumulate(IReadOnlyList<int> weights)
    {
        int total = 0;
        return [.. weights.Select(w => total += w)];
    }

    /// <summary>The client's texts, each with its topic and style.</summary>
    public IEnumerable<(int Topic, int Style, string Text)> Texts()
    {
        var random = new KeyedRandom(settings.Seed, stream, (ulong)index);
        var composer = new TextComposer(GrammarOf(settings.Flavour), PrivateStyles);
        int size = Size(random.Uniform());
        int[] topics = new int[size], styles = new int[size];
        for (int i = 0; i < size; i++)
        {
            topics[i] = Urn(topics, i, PrivateTopics, ref random);
            styles[i] = Urn(styles, i, PrivateStyles, ref random);
            yield return (topics[i], styles[i], composer.Write(topics[i], styles[i], ref random));
        }
    }

    private int Urn(int[] earlier, int count, int[] population, ref KeyedRandom random) =>
        random.Uniform() * (settings.Alpha + count) < settings.Alpha ? random.Pick(population) : earlier[random.Below(count)];

    /// <summary>Inverse of F(n) = n^2 / (n^2 + m^2), cut so that the largest size is <see cref="Mixtures.LargestClient"/>.</summary>
    private static int Size(double uniform)
    {
        const double most = Mixtures.LargestClient, median = Mixtures.MedianClient;
        double u = uniform * (most * most / (most * most + median * median));
        return Math.Clamp((int)Math.Ceiling(median * Math.Sqrt(u / (1 - u))), 1, Mixtures.LargestClient);
    }
}
