using Chorus.Benchmarks;
using Chorus.Benchmarks.Scale;

return args switch
{
    ["votes"] => VoteBenchmark.Run(),
    ["selection", .. var chosen] => SelectionBenchmark.Run(new BenchmarkArguments(chosen)),
    ["ranking", .. var rest] => RankingBenchmark.Run(new BenchmarkArguments(rest)),
    ["audit"] => await AuditBenchmark.RunAsync(),
    ["chaos", .. var rest] => await ChaosBenchmark.RunAsync(new BenchmarkArguments(rest)),
    ["data-parallel", .. var rest] => DataParallelBenchmark.Run(new BenchmarkArguments(rest)),
    ["copies", .. var rest] => CopyBenchmark.Run(new BenchmarkArguments(rest)),
    ["scaling", .. var rest] => ScalingBenchmark.Run(new BenchmarkArguments(rest)),
    ["kernels"] => KernelBenchmark.Run(),
    ["dp-layer"] => LayerBenchmark.Run(),
    ["dp-step", .. var rest] => DpStepBenchmark.Run(new BenchmarkArguments(rest)),
    ["page", .. var rest] => await PageBenchmark.RunAsync(new BenchmarkArguments(rest)),
    ["page-pictures", .. var rest] => await PagePictures.RunAsync(new BenchmarkArguments(rest)),
    ["page-readers", var address, var pages] => await PageBenchmark.ReadAsync(address, int.Parse(pages, System.Globalization.CultureInfo.InvariantCulture)),
    ["generation", .. var rest] => GenerationBenchmark.Run(new BenchmarkArguments(rest)),
    ["training", .. var rest] => TrainingBenchmark.Run(new BenchmarkArguments(rest)),
    ["loading", .. var rest] => LoadingBenchmark.Run(new BenchmarkArguments(rest)),
    ["scale", .. var rest] => await ScaleBenchmark.RunAsync(new BenchmarkArguments(rest)),
    ["paper-round", .. var rest] => await PaperRoundBenchmark.RunAsync(new BenchmarkArguments(rest)),
    ["region", .. var rest] => await RegionBenchmark.RunAsync(new BenchmarkArguments(rest)),
    ["fuzz", .. var rest] => await FuzzBenchmark.RunAsync(new BenchmarkArguments(rest)),
    ["scale-size", .. var rest] => await ScaleBenchmark.RunSizeAsync(new BenchmarkArguments(rest)),
    ["scale-node", .. var rest] => await BenchmarkRun.RunNodeAsync(new BenchmarkArguments(rest)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine($"""
        usage: dotnet run -c Release --project Benchmarks -- VERB [--NAME VALUE ...]
          votes
          selection   --flavour biorxiv|congress --seed 1 --epsilon 1 --prompts 1200 --pool FILE (made, and kept) --arms all,best,drawn,public,public-drawn,both-drawn --set key=value;key=value
          ranking     --flavour both|biorxiv|congress --page FILE.html --clients 200,500,1000,2000,5000 --epsilons 0.2,0.5,1,2,4,8
          audit
          chaos       --schedules 100 --from 1 --network auto|off
          copies      --folder DIR (made, and kept)
          kernels
          dp-layer
          dp-step     --shape llama-13b --layers 0 --batch 8 --seq 1024 --dtype float32|bfloat16 --methods none,fused,... --train linear|all|none --lora 0
                      --norm auto|gram|direct|kept --clipping PerLayer|Flat|AutoS --optimizer sgd|adamw --recording auto|on|off --rounds 5 --steps 6 (memory: one method alone)
          page        --pairs 5 --rounds 6 --seconds 30 (--pairs 0 --run DIR: the page alone, of a run that is done)
          page-pictures --out docs --chromium /usr/bin/chromium
          data-parallel  --device cuda --dtype bfloat16 --parts equal,noise,steps,dpo --shape llama-7b,llama-13b --layers 4 --micro-batches 1 --batch 8 --seq 1024 --steps 8 --rounds 3
                      --ranks 0 (all) --ranks-per-device 1 --collective auto|nccl|host --check-shape llama-1b --check-layers 2 --dpo-shape llama-1b --pairs 8 --pair-tokens 256
          scaling     --shape llama-13b --device cuda --dtype bfloat16 --batch 8 --seq 1024 --depths 1,4 --check 6 --steps 12 --layers 40 --micro-batches 1,4 --optimizer sgd|adamw
                      --layer-ms, --rest-ms, --update-gbs: given in place of measured
          generation  --shape {string.Join('|', BenchmarkModel.Names)} --device auto --dtype float32|bfloat16 --batch 256 --samples 10 --prompt 192 --new 64
                      --temperature 1 --top-k 0 --top-p 1 --repeats 3 --threads 0 --draw auto|host|device --recorded on|off
          training    --shape 4m --device cpu --dtype float32 --batch 32 --length 96 --steps 20 --threads 0
          paper-round --clients 72000 --texts 8 --candidates 18000 --rounds 4 --processes 0 --release full|subspace
          region      --entities 100000
          fuzz        --inputs 1000000 --seed 1
          scale       --sizes 10000,100000,1000000 --rounds 30,10,4 --passes 2 --texts 2 --candidates 600 --processes 2
          loading     --shape 1b --dtype bfloat16 --device cpu --folder DIR (made and deleted)
        """);
    return 2;
}
