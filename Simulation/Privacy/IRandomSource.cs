using System.Security.Cryptography;

namespace Chorus.Simulation.Privacy;

/// <summary>Where random bytes come from.</summary>
public interface IRandomSource
{
    /// <summary>Overwrites the span with the next bytes.</summary>
    void Fill(Span<byte> destination);
}

/// <summary>The operating system's cryptographic generator: the one whose noise protects anybody.</summary>
public sealed class CryptographicRandomSource : IRandomSource
{
    public void Fill(Span<byte> destination) => RandomNumberGenerator.Fill(destination);
}
