using System.Runtime.CompilerServices;

namespace Chorus.Actors.Tests.Support;

/// <summary>The user's cache of these tests: a folder of their own, gone when they end.</summary>
internal static class TestCache
{
    public static string Folder { get; } = Directory.CreateTempSubdirectory("chorus-tests-cache-").FullName;

    [ModuleInitializer]
    internal static void Use()
    {
        Environment.SetEnvironmentVariable("CHORUS_CACHE", Folder);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Folder, recursive: true);
    }
}
