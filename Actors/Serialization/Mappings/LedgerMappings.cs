using Chorus.Actors.Ledger;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Ledger.LedgerProtocol;
using static Chorus.Actors.Serialization.Mappings.Fields;

namespace Chorus.Actors.Serialization.Mappings;

internal static class LedgerMappings
{
    public static IEnumerable<WireType> Types =>
    [
        WireType.Of<LedgerOpened, Wire.LedgerOpened>(
            "ledger/opened/2",
            m => new() { Budget = Write(m.Budget), DataSha256 = m.DataSha256 },
            w => new(Read(Required(w.Budget)), w.DataSha256)),
        WireType.Of<ChargeMade, Wire.ChargeMade>(
            "ledger/charge-made/3",
            m => new() { ChargeId = m.ChargeId, Event = Write(m.Event) },
            w => new(w.ChargeId, Read(Required(w.Event)))),
    ];

    public static Wire.PrivacySpend Write(PrivacySpend m) => new() { Charges = m.Charges, Epsilon = m.Epsilon, Delta = m.Delta };

    public static PrivacySpend Read(Wire.PrivacySpend w) => new(w.Charges, w.Epsilon, w.Delta);

    private static Wire.PrivacyBudget Write(PrivacyBudget m) => new()
    {
        Unit = m.Unit switch
        {
            PrivacyUnit.Client => Wire.PrivacyUnit.Client,
            PrivacyUnit.Example => Wire.PrivacyUnit.Example,
            _ => throw Unknown(m.Unit),
        },
        Adjacency = m.Adjacency switch
        {
            Adjacency.AddOrRemoveOne => Wire.Adjacency.AddOrRemoveOne,
            Adjacency.ReplaceOne => Wire.Adjacency.ReplaceOne,
            _ => throw Unknown(m.Adjacency),
        },
        Epsilon = m.Epsilon,
        Delta = m.Delta,
    };

    private static PrivacyBudget Read(Wire.PrivacyBudget w) => new(
        w.Unit switch
        {
            Wire.PrivacyUnit.Client => PrivacyUnit.Client,
            Wire.PrivacyUnit.Example => PrivacyUnit.Example,
            _ => throw Unknown(w.Unit),
        },
        w.Adjacency switch
        {
            Wire.Adjacency.AddOrRemoveOne => Adjacency.AddOrRemoveOne,
            Wire.Adjacency.ReplaceOne => Adjacency.ReplaceOne,
            _ => throw Unknown(w.Adjacency),
        },
        w.Epsilon,
        w.Delta);

    private static Wire.PrivacyEvent Write(PrivacyEvent m)
    {
        var wire = new Wire.PrivacyEvent
        {
            Mechanism = m.Mechanism switch
            {
                Mechanism.Gaussian => Wire.Mechanism.Gaussian,
                Mechanism.DiscreteGaussian => Wire.Mechanism.DiscreteGaussian,
                _ => throw Unknown(m.Mechanism),
            },
            NoiseMultiplier = m.NoiseMultiplier,
            Count = m.Count,
        };
        switch (m.Sampling)
        {
            case FullParticipation:
                wire.Full = new Wire.FullParticipation();
                break;
            case PoissonSampling poisson:
                wire.Poisson = new Wire.PoissonSampling { Rate = poisson.Rate };
                break;
            case FixedSizeSampling fixedSize:
                wire.FixedSize = new Wire.FixedSizeSampling { Size = fixedSize.Size, Population = fixedSize.Population };
                break;
            default:
                throw Unknown(m.Sampling);
        }

        return wire;
    }

    private static PrivacyEvent Read(Wire.PrivacyEvent w) => new(
        w.Mechanism switch
        {
            Wire.Mechanism.Gaussian => Mechanism.Gaussian,
            Wire.Mechanism.DiscreteGaussian => Mechanism.DiscreteGaussian,
            _ => throw Unknown(w.Mechanism),
        },
        w.NoiseMultiplier,
        w.SamplingCase switch
        {
            Wire.PrivacyEvent.SamplingOneofCase.Full => Sampling.Full,
            Wire.PrivacyEvent.SamplingOneofCase.Poisson => new PoissonSampling(w.Poisson.Rate),
            Wire.PrivacyEvent.SamplingOneofCase.FixedSize => new FixedSizeSampling(w.FixedSize.Size, w.FixedSize.Population),
            _ => throw Unknown(w.SamplingCase),
        },
        w.Count);
}
