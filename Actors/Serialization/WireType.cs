using Google.Protobuf;

namespace Chorus.Actors.Serialization;

/// <summary>One message or event: its manifest, and how it becomes Protobuf and comes back.</summary>
/// <param name="Manifest">area/name/version.</param>
/// <param name="Type">The record.</param>
internal sealed record WireType(string Manifest, Type Type, Func<object, byte[]> Write, Func<byte[], object> Read)
{
    /// <param name="manifest">area/name/version.</param>
    /// <param name="write">From the record; gives every field.</param>
    /// <param name="read">To the record; throws at what no record can hold.</param>
    /// <typeparam name="TRecord">The record that actors know.</typeparam>
    /// <typeparam name="TWire">The message of wire.proto.</typeparam>
    public static WireType Of<TRecord, TWire>(string manifest, Func<TRecord, TWire> write, Func<TWire, TRecord> read)
        where TRecord : notnull
        where TWire : IMessage<TWire>, new()
    {
        var parser = new MessageParser<TWire>(() => new TWire()).WithDiscardUnknownFields(true);
        return new WireType(manifest, typeof(TRecord), record => write((TRecord)record).ToByteArray(), bytes => read(parser.ParseFrom(bytes)));
    }
}
