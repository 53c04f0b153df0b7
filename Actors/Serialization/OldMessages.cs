using System.Globalization;
using Chorus.Actors.Collection;
using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Serialization;

/// <summary>A message or event in a form that an older version wrote.</summary>
internal interface IOldMessage
{
    /// <summary>What it means today.</summary>
    object Today { get; }
}

/// <summary>A charge as journals had it while sampling was a word, and every scheme charged as full participation.</summary>
internal sealed record ChargeMadeV1(string ChargeId, PrivacyEventV1 Event) : IOldMessage
{
    public object Today => new LedgerProtocol.ChargeMade(ChargeId, new PrivacyEvent(Mechanism.DiscreteGaussian, Event.NoiseMultiplier, Sampling.Full));
}

internal sealed record PrivacyEventV1(string Mechanism, double NoiseMultiplier, string Sampling);

/// <summary>A partial sum while it named each client.</summary>
internal sealed record PartialSumV1(
    string Run, int Round, string Collector, IReadOnlyList<CollectorProtocol.GrantedBlock> Blocks, long[] Sum, int[] Clients, VoteTally Tally) : IOldMessage
{
    public object Today => new CollectorProtocol.PartialSum(Run, Round, Collector, Blocks, Sum, ClientDigest.Of(Clients), Tally);
}

/// <summary>A run while nodes were told the few settings that they needed, not all of them.</summary>
internal sealed record RunDescriptionV1(
    string Run, string DataDirectory, SynthesisSettings? Synthesis, string DataSha256, int Clients, int BlockSize, int EncoderDimension,
    string EncoderCheckpoint = "", string EncoderDevice = "cpu", string? EncoderSha256 = null) : IOldMessage
{
    public object Today => new RunProtocol.RunDescription(Run, Settings, DataSha256, Clients);

    private string Settings => string.Create(
        CultureInfo.InvariantCulture,
        $$"""
        chorus {
          seed = {{Synthesis?.Seed ?? 1}}
          data.directory = {{SettingsReader.Quote(DataDirectory)}}
          data.synthesize {
            flavour = {{(Synthesis?.Flavour == CorpusFlavour.Biorxiv ? "biorxiv" : "congress")}}
            clients = {{Synthesis?.Clients ?? 1}}
            alpha = {{Synthesis?.Alpha ?? 1:R}}
            initial-texts = {{Synthesis?.InitialTexts ?? 10}}
            eval-clients = {{Synthesis?.EvalClients ?? 10}}
          }
          clients.block-size = {{BlockSize}}
          encoder {
            kind = {{(EncoderCheckpoint.Length > 0 ? "checkpoint" : "hashed-ngrams")}}
            checkpoint = {{SettingsReader.Quote(EncoderCheckpoint)}}
            dimension = {{EncoderDimension}}
            device = {{SettingsReader.Quote(EncoderDevice)}}
            sha256 = {{EncoderSha256 ?? "auto"}}
          }
        }
        """);
}
