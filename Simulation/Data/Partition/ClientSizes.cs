namespace Chorus.Simulation.Data.Partition;

/// <summary>How many texts each client of a partition has.</summary>
internal static class ClientSizes
{
    private const ulong SizeStream = 1;

    /// <summary>Sizes of at most so many texts in all.</summary>
    /// <exception cref="DataFormatException">The texts do not suffice for the clients asked for.</exception>
    public static int[] Draw(PartitionSettings settings, long texts, string source)
    {
        Func<int, int> sizeOf = settings.Exponent is { } exponent ? PowerLaw(settings, exponent) : _ => settings.Texts;
        var sizes = new List<int>();
        long left = texts;
        while (left > 0 && (settings.Clients is null || sizes.Count < settings.Clients))
        {
            int size = sizeOf(sizes.Count);
            if (size > left)
            {
                // The last client takes what is left where that is a size that clients have.
                if (settings.Exponent is null || left < settings.MinTexts) break;
                size = (int)left;
            }
            sizes.Add(size);
            left -= size;
        }
        return settings.Clients is { } wanted && sizes.Count < wanted
            ? throw new DataFormatException(source, null, FormattableString.Invariant($"texts for {wanted:N0} clients"), FormattableString.Invariant($"{texts:N0}, which suffice for {sizes.Count:N0}: lower --clients, or the texts a client"))
            : [.. sizes];
    }

    // By the inverse of the distribution function; every client's size is its own draw.
    private static Func<int, int> PowerLaw(PartitionSettings settings, double exponent)
    {
        double[] cumulative = new double[settings.MaxTexts - settings.MinTexts + 1];
        double total = 0;
        for (int i = 0; i < cumulative.Length; i++) cumulative[i] = total += Math.Pow(settings.MinTexts + i, -exponent);
        return client =>
        {
            double at = new KeyedRandom(settings.Seed, SizeStream, (ulong)client).Uniform() * total;
            int index = Array.BinarySearch(cumulative, at);
            return settings.MinTexts + Math.Min(cumulative.Length - 1, index < 0 ? ~index : index + 1);
        };
    }
}
