using System.Text.Json;

namespace Chorus.Simulation.Tests.Popri;

/// <summary>The folder of reference values beside the checkout, found by walking up from the test assembly.</summary>
internal static class ReferenceData
{
    public static string? Folder { get; } = Find();

    public static JsonElement Json(string relativePath) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder!, relativePath))).RootElement;

    private static string? Find()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string shared = Path.Combine(at.FullName, "shared");
            if (Directory.Exists(Path.Combine(shared, "reference")))
                return shared;
        }

        return null;
    }
}

/// <summary>A fact that needs the reference values; skipped where they are not.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ReferenceFactAttribute : FactAttribute
{
    public ReferenceFactAttribute()
    {
        if (ReferenceData.Folder is null)
            Skip = "needs the folder shared/reference beside the checkout";
    }
}
