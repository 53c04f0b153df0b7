using System.Collections.Immutable;
using Chorus.Actors.Collection;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Tests.Fuzz;

/// <summary>Values of any message type, no field at its default, so that a field that is lost is seen.</summary>
internal static class SampleMessages
{
    public static object Of(Type type, int depth = 1)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return Of(underlying, depth);
        if (type == typeof(CollectorProtocol.PartialSum)) // its counts are no numbers below 0
            return new CollectorProtocol.PartialSum("run", 1, "c/0", [new(3, 4), new(5, 6)], [long.MinValue, 7, -8], new(9, ulong.MaxValue - 5), new(1, 2, 3, 4, 5), 6, 7);
        if (type == typeof(PrivacyEvent)) // checks its values, so any will not do
            return new PrivacyEvent(Mechanism.DiscreteGaussian, depth + 0.5, new PoissonSampling(0.125), 3);
        if (type == typeof(string))
            return $"text-{depth} \"é\" <&>";
        if (type == typeof(bool))
            return true;
        if (type == typeof(double))
            return double.PositiveInfinity; // an epsilon can be
        if (type.IsEnum)
            return Enum.GetValues(type).GetValue(Enum.GetValues(type).Length - 1)!;
        if (type == typeof(ulong))
            return ulong.MaxValue - 1;
        if (type == typeof(long))
            return long.MinValue + depth;
        if (type.IsPrimitive)
            return Convert.ChangeType(40 + depth, type, System.Globalization.CultureInfo.InvariantCulture);
        if (type.IsArray)
            return Filled(type.GetElementType()!, depth);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return Filled(type.GetGenericArguments()[0], depth);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>))
        {
            return typeof(ImmutableArray).GetMethods().Single(m => m.Name == "Create" && m.GetParameters() is [{ ParameterType: var p }] && p.IsArray)
                .MakeGenericMethod(type.GetGenericArguments()).Invoke(null, [Filled(type.GetGenericArguments()[0], depth)])!;
        }

        var constructor = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        var parameters = constructor.GetParameters();
        var made = constructor.Invoke([.. parameters.Select((p, i) => Of(p.ParameterType, depth + i + 1))]);
        foreach (var property in type.GetProperties().Where(p => p.CanWrite && !parameters.Any(q => q.Name == p.Name)))
            property.SetValue(made, Of(property.PropertyType, depth + 20));
        return made;
    }

    private static Array Filled(Type element, int depth)
    {
        var array = Array.CreateInstance(element, 3);
        for (var i = 0; i < array.Length; i++)
            array.SetValue(Of(element, depth + i), i);
        return array;
    }
}
