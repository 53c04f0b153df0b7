using System.Buffers.Binary;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Federation;

/// <summary>Plays out, in virtual time, which of the clients that a round asked answer in time. Equal seeds give equal rounds.</summary>
/// <remarks>
/// <para>
/// What a client does follows from the seed, the client and the round alone: it depends neither on any client's texts nor on
/// which others exist, are drawn or answer. That independence is what the accounting rests on (docs/privacy.md): leaving out who
/// is away, drops out or is late then changes nothing of what one client can move the sum by.
/// </para>
/// <para>
/// A first-come cohort is another matter: there one client's answer keeps another's out. It moves the sum by up to twice as
/// much, and is charged so.
/// </para>
/// <para>
/// The seed is hashed one way before use, so that whoever sees who was there learns nothing of the cohorts drawn from it.
/// </para>
/// </remarks>
public sealed class AvailabilityModel
{
    private const ulong DeviceStream = 1, DayStream = 2, SpeedStream = 3, DropoutStream = 4, AnswerStream = 5;
    private const double SecondsAnHour = 3600, SecondsADay = 86_400;

    private readonly AvailabilitySettings _settings;
    private readonly PresenceTrace? _trace;
    private readonly ulong _seed;

    /// <param name="settings">How clients come and go.</param>
    /// <param name="trace">For <see cref="PresenceKind.Trace"/>; each client is one of its devices, drawn by the seed.</param>
    /// <param name="seed">The seed that cohorts are drawn from.</param>
    /// <exception cref="ArgumentException">A trace is missing.</exception>
    public AvailabilityModel(AvailabilitySettings settings, PresenceTrace? trace, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Presence == PresenceKind.Trace && trace is null)
            throw new ArgumentException("presence by trace needs a trace", nameof(trace));
        (_settings, _trace) = (settings, trace);
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        new SeededRandomSource(seed, "availability").Fill(bytes);
        _seed = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Plays a round.</summary>
    /// <param name="asked">The clients drawn.</param>
    /// <param name="round">From 1.</param>
    /// <param name="enough">The round closes when so many have answered, and turns later ones away; null waits for all until the deadline.</param>
    /// <returns>Who is counted, and what became of the others.</returns>
    public (ClientSet Counted, Turnout Turnout) Play(ClientSet asked, int round, int? enough)
    {
        ArgumentNullException.ThrowIfNull(asked);
        ArgumentOutOfRangeException.ThrowIfLessThan(round, 1);
        double deadline = _settings.Deadline.TotalSeconds;
        int unreachable = 0, dropped = 0, late = 0;
        var inTime = new List<(double Seconds, int Client)>();
        for (int client = 0; client < asked.Population; client++)
        {
            if (!asked.Contains(client))
                continue;
            switch (Answer(client, round))
            {
                case { Reached: false }:
                    unreachable++;
                    break;
                case { Seconds: null }:
                    dropped++;
                    break;
                case { Seconds: { } seconds } when seconds <= deadline:
                    inTime.Add((seconds, client));
                    break;
                default:
                    late++;
                    break;
            }
        }

        inTime.Sort();
        int counted = Math.Min(enough ?? int.MaxValue, inTime.Count);
        // Who is away or late is known to be missing only at the deadline.
        bool complete = counted == enough || counted == asked.Count;
        double closes = complete ? (counted > 0 ? inTime[counted - 1].Seconds : 0) : deadline;
        return (
            ClientSet.Of(asked.Population, inTime.Take(counted).Select(a => a.Client)),
            new Turnout(asked.Count, unreachable, dropped, late, inTime.Count - counted, counted, closes));
    }

    /// <summary>What one client does when a round asks it.</summary>
    /// <returns>Whether it is there, and the seconds after which it answers; null: never.</returns>
    internal (bool Reached, double? Seconds) Answer(int client, int round)
    {
        double at = (round - 1) * _settings.RoundEvery.TotalSeconds;
        if (ReachableUntil(client, at) is not { } until)
            return (false, null);
        if (Keyed(DropoutStream, client, round).Uniform() < _settings.Dropout)
            return (true, null);
        bool straggles = Keyed(SpeedStream, client, 0).Uniform() < _settings.Stragglers;
        KeyedRandom random = Keyed(AnswerStream, client, round);
        double seconds = _settings.AnswerTime.TotalSeconds * Math.Exp(_settings.AnswerSpread * Normal(ref random)) * (straggles ? _settings.StragglerSlowdown : 1);
        return (true, at + seconds < until ? seconds : null);
    }

    private double? ReachableUntil(int client, double at)
    {
        switch (_settings.Presence)
        {
            case PresenceKind.Always:
                return double.PositiveInfinity;
            case PresenceKind.Trace:
                return _trace!.ReachableUntil(Keyed(DeviceStream, client, 0).Below(_trace.Devices.Length), at);
            case PresenceKind.Diurnal:
                if (_settings.Hours * SecondsAnHour >= SecondsADay)
                    return double.PositiveInfinity;
                double shift = ((2 * Keyed(DayStream, client, 0).Uniform()) - 1) * _settings.SpreadHours;
                double begins = (_settings.FromHour + shift) * SecondsAnHour;
                double since = at - begins - (Math.Floor((at - begins) / SecondsADay) * SecondsADay);   // since it last began
                double left = (_settings.Hours * SecondsAnHour) - since;
                return left > 0 ? at + left : null;
            default:
                throw new NotSupportedException($"no presence is known of kind {_settings.Presence}");
        }
    }

    private KeyedRandom Keyed(ulong stream, int client, int round) => new(_seed, stream, ((ulong)round << 32) | (uint)client);

    // Box and Muller 1958.
    private static double Normal(ref KeyedRandom random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.Uniform())) * Math.Cos(Math.Tau * random.Uniform());
}
