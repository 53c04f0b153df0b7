using System.Text.Json;

namespace Chorus.Cli.Tests.Support;

/// <summary>
/// A folder for all tests of this assembly, with a cache in it: the tiny corpus and the tiny policy are made once. Gone afterwards.
/// </summary>
public sealed class TestFolder : IDisposable
{
    /// <summary>A run of seconds: the smallest of everything that still goes through every step.</summary>
    private const string Settings = """
        chorus {
          name = tiny
          seed = 11
          rounds = 2
          data.synthesize { clients = 40, initial-texts = 200, eval-clients = 10 }
          clients.block-size = 4
          popri { prompts = 4, samples = 4, shots = 1, rejected-rank = 3 }
          privacy { epsilon = 4, reproducible-noise = on }
          encoder.dimension = 64
          policy {
            device = cpu
            threads = 1
            text-tokens = 24
            model { vocabulary = 400, hidden = 32, intermediate = 64, layers = 1, heads = 2, key-value-heads = 1, context = 128 }
            pretraining { steps = 5, warm-up-steps = 1 }
            lora.rank = 4
          }
          synthetic.texts = 20
          evaluation { floor-epochs = 1, epochs = 1, model { hidden = 16, intermediate = 32, layers = 1, heads = 2, key-value-heads = 1 } }
        }
        """;

    private int _names;

    public TestFolder()
    {
        Path = Directory.CreateTempSubdirectory("chorus-cli-tests-").FullName;
        Directory.CreateDirectory(Temporary);
        File.WriteAllText(TinyRun, Settings);
    }

    public string Path { get; }

    public string Cache => In("cache");

    /// <summary>Where child processes put what is temporary.</summary>
    public string Temporary => In("tmp");

    /// <summary>The run file of a run that takes seconds.</summary>
    public string TinyRun => In("tiny.conf");

    /// <summary>A path in it that nothing is at yet.</summary>
    public string Fresh(string name) => In($"{name}-{Interlocked.Increment(ref _names)}");

    /// <summary>Writes a data folder; null leaves a file out.</summary>
    public string Data(string? clients = null, string? eval = null, string? initial = null, string? without = null)
    {
        var folder = Fresh("data");
        Directory.CreateDirectory(folder);
        var texts = JsonSerializer.Serialize(Enumerable.Range(0, 12).Select(i => $"Public text number {i} about harbours."));
        Write("train_clients.json", clients ?? """{"ada": ["A text of Ada's."], "bob": ["One of Bob's.", "Another."]}""");
        Write("eval.json", eval ?? texts);
        Write("initial_set.json", initial ?? texts);
        return folder;

        void Write(string name, string content)
        {
            if (name != without)
                File.WriteAllText(System.IO.Path.Combine(folder, name), content);
        }
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
