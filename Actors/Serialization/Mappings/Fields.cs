namespace Chorus.Actors.Serialization.Mappings;

/// <summary>What mappings share.</summary>
internal static class Fields
{
    /// <summary>A message inside another that must be there.</summary>
    /// <exception cref="InvalidDataException">It is absent.</exception>
    public static T Required<T>(T? field)
        where T : class => field ?? throw new InvalidDataException($"a {typeof(T).Name} is missing");

    /// <summary>A number that counts something.</summary>
    /// <exception cref="InvalidDataException">It is below 0.</exception>
    public static int Count(int value) => value >= 0 ? value : throw new InvalidDataException($"a count must be at least 0, got {value}");

    public static Exception Unknown(object value) => new InvalidDataException($"{value.GetType().Name} {value} is not known to this version of Chorus");
}
