using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;
using Chorus.Actors.Serialization.Mappings;

namespace Chorus.Actors.Serialization;

/// <summary>
/// Every message that crosses a node and every event that is persisted, as Protobuf (wire.proto) under a manifest that names
/// message and version. Only the types listed in the mappings are ever made from bytes. Journals and messages that were written as
/// JSON are read for ever (<see cref="JsonMessages"/>).
/// </summary>
/// <remarks>
/// Bytes from elsewhere are not trusted: whatever they are, reading gives a message or a <see cref="SerializationException"/>,
/// and takes memory in proportion to the bytes (of packed numbers: at most <see cref="PackedNumbers.MostBytes"/>).
/// </remarks>
public sealed class ChorusSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private static readonly WireType[] Types = [.. RunMappings.Types, .. LedgerMappings.Types, .. CollectionMappings.Types, .. ModelMappings.Types, .. WatchMappings.Types, .. TrainingMappings.Types];

    private static readonly Dictionary<Type, WireType> ByType = Types.ToDictionary(t => t.Type);
    private static readonly Dictionary<string, Func<byte[], object>> Readers = Types.Select(t => KeyValuePair.Create(t.Manifest, t.Read)).Concat(JsonMessages.Readers).ToDictionary();

    /// <summary>The types that this serializer knows.</summary>
    public static IEnumerable<Type> KnownTypes => Types.Select(t => t.Type);

    /// <summary>All manifests that are read, those of old versions among them.</summary>
    public static IEnumerable<string> KnownManifests => Readers.Keys;

    public override int Identifier => 7301;

    public override string Manifest(object o) => Of(o).Manifest;

    public override byte[] ToBinary(object obj) => Of(obj).Write(obj);

    public override object FromBinary(byte[] bytes, string manifest) => Read(bytes, manifest);

    /// <summary>What <see cref="FromBinary"/> does, for whoever reads a journal without an actor system.</summary>
    /// <exception cref="SerializationException">No such manifest, or bytes that are no such message.</exception>
    public static object Read(byte[] bytes, string manifest)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        if (manifest is null || !Readers.TryGetValue(manifest, out var read))
            throw new SerializationException($"unknown manifest {manifest}: it was written by a newer version of Chorus");
        try
        {
            return read(bytes);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Akka drops a message for this exception and goes on; for any other it would close the connection.
            throw new SerializationException($"{manifest}: {bytes.Length} bytes that are no such message ({e.GetType().Name}: {e.Message})", e);
        }
    }

    private static WireType Of(object message) => ByType.TryGetValue(message.GetType(), out var type)
        ? type
        : throw new SerializationException($"{message.GetType()} has no manifest: it must not leave its node");
}
