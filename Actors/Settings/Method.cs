using System.Collections.Immutable;

namespace Chorus.Actors.Settings;

/// <summary>What a run makes of its clients' texts.</summary>
public enum Method
{
    /// <summary>Preference-optimised synthetic data, as published (arXiv:2504.16438).</summary>
    Popri,

    /// <summary>The same with the subspace release, and what it makes possible.</summary>
    PopriPlus,

    /// <summary>Private Evolution (arXiv:2305.15560, arXiv:2403.01749): clients vote for their nearest candidates, and the best are varied.</summary>
    Pe,

    /// <summary>Private Evolution, then the policy is fine-tuned on what was selected.</summary>
    PeSft,

    /// <summary>Clients train the downstream model; clipped changes are averaged with noise (arXiv:1710.06963).</summary>
    DpFedAvg,

    /// <summary>The same with noise that is correlated over rounds, and no claim on sampling (arXiv:2103.00039, arXiv:2306.08153).</summary>
    DpFtrl,

    /// <summary>One trainer with all texts trains the downstream model; a client is an example (arXiv:1607.00133).</summary>
    DpSgd,

    /// <summary>The policy writes as it is and no client is asked: what private feedback is measured against.</summary>
    Untuned,

    /// <summary>Public texts alone: the floor.</summary>
    Public,

    /// <summary>The private texts themselves, without privacy: the ceiling.</summary>
    Private,
}

/// <summary>Names of methods, and what kind each is.</summary>
public static class MethodNames
{
    private static readonly ImmutableArray<(Method Method, string Name)> Names =
    [
        (Method.Popri, "popri"), (Method.PopriPlus, "popri-plus"), (Method.Pe, "pe"), (Method.PeSft, "pe-sft"), (Method.DpFedAvg, "dp-fedavg"),
        (Method.DpFtrl, "dp-ftrl"), (Method.DpSgd, "dp-sgd"), (Method.Untuned, "untuned"), (Method.Public, "public"), (Method.Private, "private"),
    ];

    /// <summary>All names, in the order of the enumeration.</summary>
    public static ImmutableArray<string> All { get; } = [.. Names.Select(n => n.Name)];

    public static string NameOf(this Method method) => Names.First(n => n.Method == method).Name;

    /// <exception cref="SettingsException">There is no such method.</exception>
    public static Method Parse(string name) => Names.FirstOrDefault(n => n.Name == name) is { Name: not null } found
        ? found.Method
        : throw new SettingsException($"there is no method \"{name}\"; the methods are {string.Join(", ", All)}");

    /// <summary>A policy writes candidates, and clients vote on them.</summary>
    public static bool AsksForVotes(this Method method) => method is Method.Popri or Method.PopriPlus or Method.Pe or Method.PeSft;

    /// <summary>The product is a set of texts that a policy writes.</summary>
    public static bool WritesTexts(this Method method) => method.AsksForVotes() || method == Method.Untuned;

    /// <summary>Clients train a model, and the product is that model.</summary>
    public static bool TrainsAtClients(this Method method) => method is Method.DpFedAvg or Method.DpFtrl;

    /// <summary>Whether clients are asked in rounds.</summary>
    public static bool HasRounds(this Method method) => method.AsksForVotes() || method.TrainsAtClients();

    /// <summary>Whether anything is released of the private clients under the budget.</summary>
    public static bool SpendsPrivacy(this Method method) => method.HasRounds() || method == Method.DpSgd;
}
