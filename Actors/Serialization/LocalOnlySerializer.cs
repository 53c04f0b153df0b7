using Akka.Actor;
using Akka.Serialization;

namespace Chorus.Actors.Serialization;

/// <summary>
/// Bound to messages that carry what must stay in its process: a client's vote, a block's noise-free sum; and to all that has no
/// serializer of its own. Trying to send one to another node, or to persist it, fails.
/// </summary>
public sealed class LocalOnlySerializer(ExtendedActorSystem system) : Serializer(system)
{
    public override int Identifier => 7302;

    public override bool IncludeManifest => false;

    public override byte[] ToBinary(object obj) => throw Refused(obj.GetType());

    public override object FromBinary(byte[] bytes, Type type) => throw Refused(type);

    private static NotSupportedException Refused(Type type) => new($"{type.Name} must not leave its process");
}
