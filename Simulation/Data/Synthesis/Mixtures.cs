using System.Collections.Immutable;

namespace Chorus.Simulation.Data.Synthesis;

/// <summary>How often each topic and style comes up among the private clients and in the public initial set.</summary>
/// <remarks>
/// This gap is what the corpus is for. All topics and styles occur in the public set, so that a model trained on it can write
/// any of them; those that dominate among the clients are rare in it, so that it seldom does, and predicts clients' texts
/// worse than it could. Feedback can then help by telling which of the things it knows are wanted, which is all that
/// preference pairs over its own texts can tell. Weights are percent.
/// </remarks>
internal static class Mixtures
{
    /// <summary>Topics of a grammar; the first half dominates among the private clients.</summary>
    public const int Topics = 16;

    /// <summary>Styles of a grammar; the first half dominates among the private clients.</summary>
    public const int Styles = 6;

    /// <summary>85% on the first eight topics, in a long tail so that some are learnt sooner than others.</summary>
    public static readonly ImmutableArray<int> PrivateTopics = [17, 14, 12, 11, 10, 8, 7, 6, 3, 2, 2, 2, 2, 2, 1, 1];

    /// <summary>
    /// 30% on the private clients' topics: in 6,000 texts each is seen 180 to 300 times, enough for a model of a million
    /// weights to learn to write them. With 12% feedback first moved the style alone, and by the time the topics followed
    /// the policy had narrowed to a few texts.
    /// </summary>
    public static readonly ImmutableArray<int> PublicTopics = [5, 5, 4, 4, 3, 3, 3, 3, 12, 11, 10, 9, 8, 8, 7, 5];

    /// <summary>86% on the first three styles; the foremost is the majority, so that it decides what is most likely where style alone does.</summary>
    public static readonly ImmutableArray<int> PrivateStyles = [50, 22, 14, 6, 5, 3];

    /// <summary>30% on the private clients' styles.</summary>
    public static readonly ImmutableArray<int> PublicStyles = [13, 10, 7, 35, 20, 15];

    /// <summary>
    /// Percent of style-bearing words that keep to the style of their text; the others follow the population. Below 100 the
    /// population's habits show even to a reader who has made out the text's style, as habits of house and time do.
    /// </summary>
    public const int StyleFidelity = 40;

    /// <summary>Client sizes follow a log-logistic law of shape 2 and this median, cut at <see cref="LargestClient"/>.</summary>
    /// <remarks>Long-tailed like LargeFedBench's, and its inverse needs a square root only, which IEEE 754 rounds alike everywhere.</remarks>
    public const double MedianClient = 8;

    /// <summary>Most texts of a client.</summary>
    public const int LargestClient = 64;
}
