using Chorus.Actors.Settings;
using Chorus.Gpu.Encoders;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Embedding;
using TorchSharp;

namespace Chorus.Actors.Embedding;

/// <summary>A sentence encoder's checkpoint as the encoder of a run.</summary>
/// <remarks>
/// On the CPU each text is encoded on its own, on one thread: its vector is the same bits whichever node and thread encodes it
/// and with whatever other texts, on machines of one kind (processor and libtorch). On a GPU the texts of one call go together:
/// a client's texts are one call, and pieces of a fixed size are of the candidates, so nodes with one kind of GPU agree too.
/// Nodes of different kinds agree up to float noise only.
/// </remarks>
public sealed class CheckpointEncoder : ISentenceEncoder, IDisposable
{
    private readonly SentenceEncoder _encoder;
    private readonly bool _alone;
    private readonly Lock _gate = new();
    private int _users;
    private bool _disposed;

    private CheckpointEncoder(SentenceEncoder encoder, string sha256, bool alone) => (_encoder, Sha256, _alone) = (encoder, sha256, alone);

    public int Dimension => _encoder.Dimension;

    /// <summary>Of the checkpoint's files.</summary>
    public string Sha256 { get; }

    /// <summary>On a GPU embeddings differ from the CPU's in their last bits.</summary>
    public string Identity => $"{Sha256}-{(_alone ? "cpu" : "cuda")}";

    /// <summary>Opens the checkpoint and checks that it is the one that is meant.</summary>
    /// <exception cref="SettingsException">No such folder, a checkpoint that is not supported or was changed, or another dimension.</exception>
    /// <exception cref="DeviceNotFoundException">The device is not here.</exception>
    public static CheckpointEncoder Load(EncoderSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var folder = settings.Checkpoint;
        if (!Directory.Exists(folder))
            throw new SettingsException($"chorus.encoder.checkpoint: there is no folder {folder} on machine {Environment.MachineName}; it must lie at the same path on every machine of the run");
        TorchRuntime.Prepare();
        var device = TorchDevices.Parse(settings.Device);
        try
        {
            var sha256 = SentenceEncoderFiles.Sha256(folder);
            if (settings.Sha256 is { } wanted && wanted != sha256)
                throw new SettingsException($"chorus.encoder.checkpoint: {folder} on machine {Environment.MachineName} is not the checkpoint of this run (sha256 {sha256}, wanted {wanted}): put that one back, on every machine, or start another run");
            var encoder = SentenceEncoder.Load(folder, device);
            if (settings.Dimension is { } dimension && dimension != encoder.Dimension)
            {
                var found = encoder.Dimension;
                encoder.Dispose();
                throw new SettingsException($"chorus.encoder.dimension must be auto or {found}, that of {folder}, got \"{dimension}\"");
            }

            return new CheckpointEncoder(encoder, sha256, alone: device.type != DeviceType.CUDA);
        }
        catch (InvalidDataException e)
        {
            throw new SettingsException($"chorus.encoder.checkpoint: {e.Message}");
        }
    }

    public void Encode(IReadOnlyList<string> texts, Span<float> destination)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _users++;
        }

        try
        {
            if (_alone)
                _encoder.EncodeEachAlone(texts, destination);
            else
                _encoder.Encode(texts, destination);
            for (var i = 0; i < texts.Count; i++)
                Normalise(destination.Slice(i * Dimension, Dimension));
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Frees the model, once nobody encodes any more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (_users > 0)
                return;
        }

        _encoder.Dispose();
    }

    private void Leave()
    {
        lock (_gate)
        {
            _users--;
            if (_users > 0 || !_disposed)
                return;
        }

        _encoder.Dispose();
    }

    // Votes take cosines. A checkpoint that normalises already is left as it is; a row that is no vector becomes zero.
    private void Normalise(Span<float> row)
    {
        double square = 0;
        foreach (var x in row)
            square += (double)x * x;
        if (!double.IsFinite(square) || square == 0)
        {
            row.Clear();
            return;
        }

        if (_encoder.Normalizes)
            return;
        var norm = Math.Sqrt(square);
        for (var i = 0; i < row.Length; i++)
            row[i] = (float)(row[i] / norm);
    }
}
