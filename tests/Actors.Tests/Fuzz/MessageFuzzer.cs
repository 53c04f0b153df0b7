using System.Runtime.Serialization;
using System.Text;
using Akka.Actor;
using Chorus.Actors.Serialization;

namespace Chorus.Actors.Tests.Fuzz;

/// <summary>
/// Bytes that no Chorus wrote, read as messages. Whatever they are, reading gives a message that can be written again, or a
/// SerializationException, and takes no more memory than a bound that follows from the bytes' number.
/// </summary>
/// <remarks>
/// An input is random bytes, or a valid message (of today, or JSON of old) to which one to eight things are done: bits turned, bytes
/// cut, put in, doubled, replaced by another message's, or a length made huge; and now and then it is read under another
/// manifest. Inputs follow from the seed.
/// </remarks>
internal sealed class MessageFuzzer
{
    /// <summary>Of an input without packed numbers: messages and strings are at most so many times their bytes, and an exception costs a few kilobytes.</summary>
    private const long BytesAByte = 300, BytesAtLeast = 1 << 19;

    /// <summary>Of an input that packs numbers: what is unpacked, the room that it grew through, and the numbers.</summary>
    private const long MostBytes = 6L * PackedNumbers.MostBytes;

    private static readonly byte[] HugeLength = [0xFF, 0xFF, 0xFF, 0xFF, 0x07];

    private readonly Random _random;
    private readonly ChorusSerializer _serializer;
    private readonly string[] _manifests = [.. ChorusSerializer.KnownManifests];
    private readonly (string Manifest, byte[] Bytes)[] _valid;

    /// <param name="system">Any; nothing is sent.</param>
    /// <param name="fixtures">The folder of the old messages' and events' bytes.</param>
    public MessageFuzzer(int seed, ExtendedActorSystem system, string fixtures)
    {
        _random = new Random(seed);
        _serializer = new ChorusSerializer(system);
        _valid =
        [
            .. ChorusSerializer.KnownTypes.Select(t => SampleMessages.Of(t)).Select(m => (_serializer.Manifest(m), _serializer.ToBinary(m))),
            .. new[] { "journal-events.txt", "wire-messages.txt" }.SelectMany(f => File.ReadLines(Path.Combine(fixtures, f)))
                .Where(line => line.Length > 0 && line[0] != '#')
                .Select(line => line.Split(' ', 2))
                .Select(parts => (parts[0], parts[1][0] == '{' ? Encoding.UTF8.GetBytes(parts[1]) : Convert.FromBase64String(parts[1]))),
        ];
    }

    /// <summary>How many inputs were read as messages; the others were refused.</summary>
    public int Read { get; private set; }

    /// <summary>The most memory that one input took, and how long it was.</summary>
    public (long Allocated, int Length) Hungriest { get; private set; }

    /// <summary>Makes one input and reads it.</summary>
    /// <exception cref="InvalidOperationException">Reading did what it must not; the message has the input.</exception>
    public void Step()
    {
        var (manifest, bytes) = Next();
        var before = GC.GetAllocatedBytesForCurrentThread();
        object? message = null;
        Exception? thrown = null;
        try
        {
            message = ChorusSerializer.Read(bytes, manifest);
        }
        catch (Exception e)
        {
            thrown = e;
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > Hungriest.Allocated)
            Hungriest = (allocated, bytes.Length);
        var packs = manifest is "candidates/chunk/2" or "collector/partial/2";
        if (thrown is not (null or SerializationException))
            throw Wrong($"threw {thrown}", manifest, bytes);
        if (allocated > (packs ? MostBytes : BytesAtLeast) + (BytesAByte * bytes.Length))
            throw Wrong($"took {allocated} bytes of memory", manifest, bytes);
        if (message is null)
            return;
        Read++;
        try
        {
            _serializer.ToBinary(message);
        }
        catch (Exception e)
        {
            throw Wrong($"gave a message that cannot be written: {e}", manifest, bytes);
        }
    }

    private static InvalidOperationException Wrong(string what, string manifest, byte[] bytes) =>
        new($"reading {manifest} {Convert.ToBase64String(bytes)} {what}");

    private (string Manifest, byte[] Bytes) Next()
    {
        if (_random.Next(10) == 0)
        {
            var noise = new byte[_random.Next(200)];
            _random.NextBytes(noise);
            return (Any(_manifests), noise);
        }

        var (manifest, valid) = Any(_valid);
        var bytes = new List<byte>(valid);
        for (var i = _random.Next(1, 9); i > 0; i--)
            Damage(bytes);
        return (_random.Next(20) == 0 ? Any(_manifests) : manifest, [.. bytes]);
    }

    private void Damage(List<byte> bytes)
    {
        var at = _random.Next(bytes.Count + 1);
        var count = Math.Min(_random.Next(1, 20), bytes.Count - at);
        switch (_random.Next(8))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, count);
                break;
            case 3:
                bytes.InsertRange(at, bytes.GetRange(at, count));
                break;
            case 4:
                bytes.InsertRange(at, HugeLength);
                break;
            case 5:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 6:
                var other = Any(_valid).Bytes;
                var from = _random.Next(other.Length + 1);
                bytes.InsertRange(at, other[from..Math.Min(other.Length, from + 40)]);
                break;
            default:
                bytes.Insert(at, (byte)_random.Next(256));
                break;
        }
    }

    private T Any<T>(T[] of) => of[_random.Next(of.Length)];
}
