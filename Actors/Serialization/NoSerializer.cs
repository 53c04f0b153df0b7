using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace Chorus.Actors.Serialization;

/// <summary>
/// Stands where Akka has serializers that make objects of any type that the bytes name (JSON with type names), or actors of
/// any class (remote deployment). Chorus sends nothing by them, so nobody who reaches its port gets to choose what is made here.
/// </summary>
public sealed class NoSerializer : Serializer
{
    public NoSerializer(ExtendedActorSystem system)
        : base(system)
    {
    }

    /// <summary>How Akka makes one that has settings (JSON's has); they play no part.</summary>
    public NoSerializer(ExtendedActorSystem system, Config settings)
        : base(system)
    {
    }

    public override int Identifier => 7303;

    public override bool IncludeManifest => true;

    public override byte[] ToBinary(object obj) => throw Refused(obj.GetType().ToString());

    public override object FromBinary(byte[] bytes, Type type) => throw Refused(type?.ToString() ?? "a message");

    private static NotSupportedException Refused(string what) => new($"{what} has no serializer of Chorus' own, and none that goes by the names of types is used");
}
