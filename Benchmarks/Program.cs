using Chorus.Benchmarks;

return args switch
{
    ["votes"] => VoteBenchmark.Run(),
    ["audit"] => await AuditBenchmark.RunAsync(),
    ["kernels"] => KernelBenchmark.Run(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: dotnet run -c Release --project Benchmarks -- votes|audit|kernels");
    return 2;
}
