using System.Runtime.CompilerServices;

namespace Chorus.Actors.Tests.Support;

/// <summary>A cache of the tests' own, gone when they are: floors and pretrained policies of other runs must not be found, nor tests' be left.</summary>
internal static class OwnCache
{
    public static string Folder { get; } = Directory.CreateTempSubdirectory("chorus-cache-").FullName;

    [ModuleInitializer]
    internal static void Make()
    {
        Environment.SetEnvironmentVariable("CHORUS_CACHE", Folder);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            try
            {
                Directory.Delete(Folder, recursive: true);
            }
            catch (IOException)
            {
                // Somebody still writes; the system's temporary folder is emptied anyway.
            }
        };
    }
}
