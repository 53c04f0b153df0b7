using Chorus.Benchmarks;

return args switch
{
    ["votes"] => VoteBenchmark.Run(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: dotnet run -c Release --project Benchmarks -- votes");
    return 2;
}
