using System.Text.Json;

namespace Chorus.Tests;

/// <summary>Reference data kept in the folder "shared" beside the checkout; absent on most machines. Compiled into every test project.</summary>
internal static class SharedFolder
{
    internal static JsonElement Json(string relative) => JsonDocument.Parse(File.ReadAllBytes(Find(relative)!)).RootElement;

    internal static string? Find(string relative)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", relative);
            if (Path.Exists(candidate))
                return candidate;
        }

        return null;
    }
}

/// <summary>A fact that needs a file or folder below "shared", and is skipped where that is not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute(string relative)
    {
        if (SharedFolder.Find(relative) is null)
            Skip = $"shared/{relative} is not beside this checkout";
    }
}

/// <summary>A theory that needs a file or folder below "shared", and is skipped where that is not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute(string relative)
    {
        if (SharedFolder.Find(relative) is null)
            Skip = $"shared/{relative} is not beside this checkout";
    }
}
