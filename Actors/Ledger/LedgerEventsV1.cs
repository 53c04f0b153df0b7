using Chorus.Simulation.Privacy;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>An event as an older version wrote it.</summary>
internal interface IOldEvent
{
    /// <summary>The event that it means today.</summary>
    object Today { get; }
}

/// <summary>A charge as journals had it while sampling was a word, and every scheme charged as full participation.</summary>
internal sealed record ChargeMadeV1(string ChargeId, PrivacyEventV1 Event) : IOldEvent
{
    public object Today => new ChargeMade(ChargeId, new PrivacyEvent(Mechanism.DiscreteGaussian, Event.NoiseMultiplier, Sampling.Full));
}

internal sealed record PrivacyEventV1(string Mechanism, double NoiseMultiplier, string Sampling);
