using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Chorus.Cli;

/// <summary>Adds examples to the help of every command: what a reader of <c>--help</c> came for.</summary>
internal static class Examples
{
    private static readonly Dictionary<string, string[]> ByCommand = new()
    {
        ["chorus"] = ["chorus simulate", "chorus account noise --epsilon 1 --rounds 20 --delta 3e-6", "chorus data describe my-data"],
        ["simulate"] =
        [
            "chorus simulate                                   the quickstart, on a synthesised corpus",
            "chorus simulate --data my-data --epsilon 7        LargeFedBench files of your own",
            "chorus simulate --run my.conf --out runs/mine     settings of your own (Hocon/reference.conf has them all)",
            "chorus simulate --resume --out runs/mine          go on after a crash",
            "chorus simulate --dashboard                       with a page that shows the run while it goes on",
        ],
        ["compare"] =
        [
            "chorus compare                                    every method on the quickstart, one seed",
            "chorus compare --methods popri,pe,dp-fedavg --epsilons 1,7,inf --seeds 3 --out runs/table",
            "chorus compare --run my.conf --data my-data --jobs 4 --out runs/table     go on where it stopped: the same again",
        ],
        ["node"] = ["chorus node --roles client --seed-node 10.0.0.1:4053 --host 10.0.0.2"],
        ["dashboard"] = ["chorus dashboard runs/mine", "chorus dashboard runs/mine --port 9000"],
        ["cluster"] = ["chorus cluster init --out tls --hosts 10.0.0.1,10.0.0.2", "chorus cluster status --node 10.0.0.1:4053"],
        ["init"] = ["chorus cluster init --out tls --hosts 10.0.0.1,10.0.0.2", "chorus cluster init --out tls --hosts 10.0.0.3      one host more, later"],
        ["status"] = ["chorus cluster status --node 10.0.0.1:4053 --tls tls/10.0.0.1", "chorus cluster status --json"],
        ["health"] = ["chorus cluster health", "chorus cluster health --port 9465 --ready"],
        ["report"] = ["chorus report runs/mine"],
        ["data"] = ["chorus data synthesize --flavour biorxiv --clients 5000 --out my-data", "chorus data import popri-datasets --set bioarxiv --out my-data", "chorus data describe my-data"],
        ["synthesize"] = ["chorus data synthesize --flavour biorxiv --clients 5000 --seed 3 --out my-data"],
        ["import"] =
        [
            "chorus data import popri-datasets --set bioarxiv --out biorxiv                          the files published with POPri",
            "chorus data import CongressionalDataset --initial c4.json --since 2023-04-01 --out congress   the hub's parquet files",
            "chorus data import CongressionalDataset --client speaker --initial-before 2023-04-01 --eval-from 2024-06-01 --out by-speaker",
            "chorus data import biorxiv-abstract --tokenizer Llama-3-8B --initial-share 0.2 --out biorxiv   64 of Llama's tokens a text",
        ],
        ["partition"] =
        [
            "chorus data partition my-data --by dirichlet --alpha 0.1 --clients 500 --out far-from-iid",
            "chorus data partition my-data --by fixed --texts 8 --out iid",
            "chorus data partition my-data --by power-law --exponent 1.5 --max-texts 64 --out long-tailed",
            "chorus data partition my-data --by natural --min-texts 4 --max-texts 16 --out trimmed",
        ],
        ["describe"] = ["chorus data describe my-data", "chorus data describe my-data --html my-data.html"],
        ["account"] = ["chorus account epsilon --noise 19.3 --rounds 20 --delta 3e-6", "chorus account noise --epsilon 1 --rounds 20 --delta 3e-6"],
        ["epsilon"] = ["chorus account epsilon --noise 19.3 --rounds 20 --delta 3e-6", "chorus account epsilon --noise 19.3 --rounds 20 --delta 3e-6 --json"],
        ["audit"] =
        [
            "chorus audit                                      one release of the quickstart's mechanism",
            "chorus audit --epsilon 4 --seed 1 --out audits/4  at the noise that makes a release cost 4, repeatable",
        ],
        ["model"] = ["chorus model info --checkpoint Llama-3-8B", "chorus model generate --checkpoint distilgpt2 --prompt 'Mr. Speaker,'", "chorus model tokenize --checkpoint Llama-3-8B --text-file texts.txt --json", "chorus model embed --checkpoint all-MiniLM-L6-v2 --text-file texts.txt --output out.safetensors"],
        ["info"] = ["chorus model info --checkpoint Llama-3-8B", "chorus model info --checkpoint Llama-3-8B --adapter runs/mine/policy/020"],
        ["logits"] = ["chorus model logits --checkpoint Llama-3-8B --input ids.safetensors --output logits.safetensors --device cuda"],
        ["generate"] =
        [
            "chorus model generate --checkpoint distilgpt2 --prompt 'Mr. Speaker,' --samples 3 --seed 7",
            "chorus model generate --checkpoint Llama-3-8B --adapter runs/mine/policy/020 --prompt-file prompts.json --device cuda --dtype bfloat16 --json",
        ],
        ["tokenize"] = ["chorus model tokenize --checkpoint Llama-3-8B --text-file texts.txt --json"],
        ["embed"] = ["chorus model embed --checkpoint all-MiniLM-L6-v2 --text-file texts.json --output out.safetensors --device cuda"],
        ["train"] =
        [
            "chorus train --checkpoint distilgpt2 --data texts.txt --logical-batch 256 --epsilon 4 --steps 200 --out runs/dp",
            "chorus train --shape tiny --synthetic --noise-multiplier 1 --steps 10 --device cpu --out runs/try",
            "chorus train --shape llama-13b --layers 4 --synthetic --seq 1024 --sampling fixed --noise-multiplier 1 --device cuda --dtype bfloat16 --out runs/speed",
        ],
        ["noise"] = ["chorus account noise --epsilon 1 --rounds 20 --delta 3e-6"],
    };

    public static void AddTo(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        /// <summary>Help is given whatever else is missing on the line.</summary>
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            var command = parseResult.CommandResult.Command;
            if (ByCommand.TryGetValue(command is RootCommand ? "chorus" : command.Name, out var examples))
            {
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Examples:");
                foreach (var example in examples)
                    output.WriteLine($"  {example}");
                output.WriteLine();
            }

            return result;
        }
    }
}
