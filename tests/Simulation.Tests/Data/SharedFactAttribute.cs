namespace Chorus.Simulation.Tests.Data;

/// <summary>A fact about shared material that may lie beside the checkout; skipped, with the reason, where it does not.</summary>
internal sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute(string path)
    {
        if (Locate(path) is null) Skip = $"shared/{path} does not lie beside the checkout";
    }

    /// <summary>Full path of shared/<paramref name="path"/> beside some folder above the test's binaries, or null.</summary>
    public static string? Locate(string path)
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string candidate = Path.Combine(at.FullName, "shared", path);
            if (Path.Exists(candidate)) return candidate;
        }
        return null;
    }
}
