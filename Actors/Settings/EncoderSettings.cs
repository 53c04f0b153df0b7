namespace Chorus.Actors.Settings;

/// <summary>What turns a run's texts into vectors.</summary>
/// <param name="Dimension">Numbers in an embedding; null is the checkpoint's own, until the run is prepared.</param>
/// <param name="Checkpoint">The folder of a sentence encoder; empty: hashed n-grams.</param>
/// <param name="Device">Where the checkpoint runs: auto, cpu, cuda or cuda:N.</param>
/// <param name="Sha256">What the checkpoint's files must hash to; null is anything, until the run is prepared.</param>
public sealed record EncoderSettings(int? Dimension, string Checkpoint = "", string Device = "cpu", string? Sha256 = null)
{
    private const int HashedDimension = 384;

    internal static EncoderSettings From(SettingsReader read)
    {
        var dimension = read.AutoOrInt("encoder.dimension", 8, 4096);
        var device = read.Text("encoder.device");
        if (device is not ("auto" or "cpu" or "cuda") && !(device.StartsWith("cuda:", StringComparison.Ordinal) && device.Length > 5 && device[5..].All(char.IsAsciiDigit)))
            throw read.Wrong("encoder.device", "auto, cpu, cuda or cuda:N");
        var sha256 = read.Text("encoder.sha256");
        if (sha256 != "auto" && !(sha256.Length == 64 && sha256.All(char.IsAsciiHexDigitLower)))
            throw read.Wrong("encoder.sha256", "auto or 64 hexadecimal digits in lower case");
        var checkpoint = read.Text("encoder.checkpoint");
        if (read.OneOf("encoder.kind", "hashed-ngrams", "checkpoint") == "hashed-ngrams")
        {
            return checkpoint.Length == 0
                ? new EncoderSettings(dimension ?? HashedDimension)
                : throw read.Wrong("encoder.checkpoint", "empty unless encoder.kind is checkpoint");
        }

        return checkpoint.Length > 0
            ? new EncoderSettings(dimension, Path.GetFullPath(checkpoint), device, sha256 == "auto" ? null : sha256)
            : throw read.Wrong("encoder.checkpoint", "the folder of a sentence encoder, for encoder.kind is checkpoint");
    }
}
