using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Dpo;

/// <summary>Tunes an adapter to preference pairs; the reference policy is the model with the adapter switched off.</summary>
/// <param name="model">Carries <paramref name="adapter"/>; its own weights stay.</param>
/// <param name="adapter">Tuned from where it stands.</param>
/// <param name="endToken">Ends a completion; a completion may hold it only as its last token.</param>
public sealed class DpoTrainer(LlamaModel model, LoraAdapter adapter, int endToken)
{
    private const int ShufflePurpose = 0;

    /// <summary>One tuning with an optimiser of its own. One seed gives the same bytes at a fixed thread count.</summary>
    /// <param name="pairs">Completions not empty, prompts of at least one token.</param>
    /// <param name="s">Beta, learning rate, batches.</param>
    /// <param name="seed">Of the epochs' orders.</param>
    /// <param name="steps">Told the number of steps done, after each.</param>
    /// <param name="ct">Looked at before every step; what was learned until then stays.</param>
    /// <exception cref="ArgumentException">A pair is empty on one side, reaches past the model's MaxLength, or has tokens outside the vocabulary.</exception>
    /// <exception cref="ArithmeticException">The loss is not finite.</exception>
    public DpoSummary Train(IReadOnlyList<TokenPair> pairs, DpoSettings s, ulong seed, IProgress<int>? steps, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(s);
        for (int i = 0; i < pairs.Count; i++)
            Check(pairs[i], i, s);
        if (pairs.Count == 0)
            return new DpoSummary(0, 0, 0, 0, 0);

        bool wasEnabled = adapter.Enabled;
        var reference = Reference(pairs, s, ct);
        adapter.Enabled = true;
        using var optimizer = optim.AdamW(adapter.Parameters, s.LearningRate, weight_decay: 0);
        try
        {
            return Train(pairs, reference, optimizer, s, seed, steps, ct);
        }
        finally
        {
            using var scope = NewDisposeScope(); // each look at a gradient makes a tensor
            optimizer.zero_grad();
            adapter.Enabled = wasEnabled;
        }
    }

    /// <summary>Summed log-probabilities of all pairs' completions under the reference policy, in the pairs' order.</summary>
    internal (float Chosen, float Rejected)[] Reference(IReadOnlyList<TokenPair> pairs, DpoSettings s, CancellationToken ct)
    {
        bool wasEnabled = adapter.Enabled;
        adapter.Enabled = false;
        try
        {
            using var noGrad = no_grad();
            var reference = new (float Chosen, float Rejected)[pairs.Count];
            for (int first = 0; first < pairs.Count; first += s.BatchSize)
            {
                ct.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                using var batch = new PairBatch([.. pairs.Skip(first).Take(s.BatchSize)], s.MaxPromptTokens, model.Device);
                var (chosen, rejected) = batch.LogProbabilities(model);
                var (c, r) = (chosen.cpu().data<float>().ToArray(), rejected.cpu().data<float>().ToArray());
                for (int i = 0; i < c.Length; i++)
                    reference[first + i] = (c[i], r[i]);
            }
            return reference;
        }
        finally
        {
            adapter.Enabled = wasEnabled;
        }
    }

    private DpoSummary Train(
        IReadOnlyList<TokenPair> pairs, (float Chosen, float Rejected)[] reference, AdamW optimizer, DpoSettings s, ulong seed, IProgress<int>? steps, CancellationToken ct)
    {
        int step = 0, right = 0;
        double firstLoss = 0, lastLoss = 0, margin = 0;
        for (int epoch = 0; epoch < s.Epochs; epoch++)
        {
            (right, margin) = (0, 0);
            var order = KeyedUniform.Permutation(pairs.Count, KeyedUniform.Bits(seed, ShufflePurpose, epoch, 0));
            foreach (var indices in order.Chunk(s.BatchSize))
            {
                ct.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                foreach (var group in optimizer.ParamGroups)
                    group.LearningRate = s.LearningRate * Math.Min(1, (step + 1.0) / Math.Max(1, s.WarmUpSteps));
                optimizer.zero_grad();
                using var batch = new PairBatch([.. indices.Select(i => pairs[i])], s.MaxPromptTokens, model.Device);
                var referenceChosen = tensor(indices.Select(i => reference[i].Chosen).ToArray()).to(model.Device);
                var referenceRejected = tensor(indices.Select(i => reference[i].Rejected).ToArray()).to(model.Device);
                var (chosen, rejected) = batch.LogProbabilities(model);
                var loss = DpoLoss.Loss(chosen, rejected, referenceChosen, referenceRejected, s.Beta, s.LabelSmoothing).mean();
                lastLoss = loss.item<float>();
                if (!double.IsFinite(lastLoss))
                    throw new ArithmeticException($"the DPO loss must be finite, got {lastLoss} at step {step}; a lower learning rate may help");
                if (step == 0)
                    firstLoss = lastLoss;
                foreach (float m in DpoLoss.Margin(chosen.detach(), rejected.detach(), referenceChosen, referenceRejected, s.Beta).cpu().data<float>())
                {
                    margin += m;
                    right += m > 0 ? 1 : 0;
                }
                loss.backward();
                if (double.IsFinite(s.MaxGradientNorm))
                    nn.utils.clip_grad_norm_(adapter.Parameters, s.MaxGradientNorm);
                optimizer.step();
                step++;
                steps?.Report(step);
            }
        }
        return new DpoSummary(step, firstLoss, lastLoss, (double)right / pairs.Count, margin / pairs.Count);
    }

    private void Check(TokenPair pair, int index, DpoSettings s)
    {
        if (pair.Prompt.Length == 0 || pair.Chosen.Length == 0 || pair.Rejected.Length == 0)
            throw new ArgumentException($"pair {index}: prompt, chosen and rejected must have at least one token each, got {pair.Prompt.Length}, {pair.Chosen.Length}, {pair.Rejected.Length}");
        int longest = Math.Min(pair.Prompt.Length, s.MaxPromptTokens) + Math.Max(pair.Chosen.Length, pair.Rejected.Length) - 1;
        if (longest > model.Config.MaxLength)
            throw new ArgumentException($"pair {index}: prompt and completion must have at most MaxLength + 1 = {model.Config.MaxLength + 1} tokens, got {longest + 1}");
        foreach (var tokens in (int[][])[pair.Prompt, pair.Chosen, pair.Rejected])
        {
            if (tokens.FirstOrDefault(id => (uint)id >= (uint)model.Config.VocabularySize, 0) is var wrong and not 0)
                throw new ArgumentException($"pair {index}: tokens must be in [0, {model.Config.VocabularySize}), got {wrong}");
        }
        if (pair.Chosen.AsSpan(..^1).Contains(endToken) || pair.Rejected.AsSpan(..^1).Contains(endToken))
            throw new ArgumentException($"pair {index}: a completion must hold the end token {endToken} only as its last token");
    }
}
