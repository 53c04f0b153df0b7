using Chorus.Gpu.Collectives;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Dpo;

/// <summary>Tunes an adapter to preference pairs; the reference policy is the model with the adapter switched off.</summary>
/// <param name="model">Carries <paramref name="adapter"/>; its own weights stay.</param>
/// <param name="adapter">Tuned from where it stands.</param>
/// <param name="endToken">Ends a completion; a completion may hold it only as its last token.</param>
public sealed class DpoTrainer(CausalModel model, LoraAdapter adapter, int endToken)
{
    private const int ShufflePurpose = 0, DropoutPurpose = 1;

    private readonly DeviceWork _work = new(model.Device, "tune");

    /// <summary>One tuning with an optimiser of its own. One seed gives the same bytes at a fixed thread count.</summary>
    /// <param name="pairs">Completions not empty, prompts of at least one token.</param>
    /// <param name="s">Beta, learning rate, batches.</param>
    /// <param name="seed">Of the epochs' orders, and of what dropout drops.</param>
    /// <param name="steps">Told the number of steps done, after each.</param>
    /// <param name="ct">Looked at before every step; what was learned until then stays.</param>
    /// <param name="resume">Where to keep the state from which a tuning that was stopped goes on, the same bit for bit as if it had not been; null keeps none.</param>
    /// <param name="group">
    /// Where several ranks tune together, each with a model, adapter and trainer of its own and the same arguments: this rank's place. Each computes its share of every step's pairs; all get
    /// rank 0's adapter and state at the start, have the same adapter after every step, and return the same summary. Null: there is no other.
    /// </param>
    /// <exception cref="CollectiveBrokenException">A rank of the group is gone; with <paramref name="resume"/> the tuning goes on from its last state.</exception>
    /// <exception cref="ArgumentException">A pair is empty on one side, reaches past the model's MaxLength, or has tokens outside the vocabulary.</exception>
    /// <exception cref="ArithmeticException">The loss is not finite.</exception>
    /// <exception cref="InvalidDataException">The state to go on from is of another tuning, or damaged.</exception>
    public DpoSummary Train(IReadOnlyList<TokenPair> pairs, DpoSettings s, ulong seed, IProgress<int>? steps, CancellationToken ct, DpoResume? resume = null, ICollective? group = null)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(s);
        for (int i = 0; i < pairs.Count; i++)
            Check(pairs[i], i, s);
        if (pairs.Count == 0)
            return new DpoSummary(0, 0, 0, 0, 0);

        bool wasEnabled = adapter.Enabled;
        using var optimizer = optim.AdamW(adapter.Parameters, s.LearningRate, weight_decay: 0);
        var state = resume is null ? null : new DpoState(resume, DpoState.Fingerprint(model, adapter, pairs, s, seed), adapter, optimizer);
        try
        {
            var done = (group is null || group.Rank == 0 ? state?.Load() : null) ?? new DpoProgress();
            if (group is not null)
                done = DpoState.Share(group, adapter, optimizer, done);
            if (done.Step == pairs.Count.StepsOf(s))
                return done.ToSummary(pairs.Count);
            var reference = Reference(pairs, s, ct, group);
            adapter.Enabled = adapter.Training = true;
            return Train(pairs, reference, optimizer, s, seed, done, state, steps, ct, group);
        }
        catch (Exception e)
        {
            group?.Abort(e.Message); // the others wait for this rank
            throw;
        }
        finally
        {
            using var scope = NewDisposeScope(); // each look at a gradient makes a tensor
            optimizer.zero_grad();
            adapter.Training = false;
            adapter.Enabled = wasEnabled;
        }
    }

    /// <summary>Summed log-probabilities of all pairs' completions under the reference policy, in the pairs' order.</summary>
    internal (float Chosen, float Rejected)[] Reference(IReadOnlyList<TokenPair> pairs, DpoSettings s, CancellationToken ct, ICollective? group = null)
    {
        bool wasEnabled = adapter.Enabled;
        adapter.Enabled = false;
        try
        {
            using var noGrad = no_grad();
            var reference = new (float Chosen, float Rejected)[pairs.Count];
            foreach (var some in group.Share([.. Enumerable.Range(0, pairs.Count)]).Chunk(s.PartSize))
            {
                ct.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                _work.Begin();
                using var batch = new PairBatch([.. some.Select(i => pairs[i])], s.MaxPromptTokens, model.Device);
                var (chosen, rejected) = batch.LogProbabilities(model);
                var (c, r) = (chosen.cpu().data<float>().ToArray(), rejected.cpu().data<float>().ToArray());
                for (int i = 0; i < c.Length; i++)
                    reference[some[i]] = (c[i], r[i]);
                _work.Took("forward");
            }
            // Each rank has its own, and zeros for all others.
            var all = group.Sum(model.Device, [.. reference.SelectMany(p => new double[] { p.Chosen, p.Rejected })]);
            return [.. all.Chunk(2).Select(p => ((float)p[0], (float)p[1]))];
        }
        finally
        {
            adapter.Enabled = wasEnabled;
        }
    }

    private DpoSummary Train(
        IReadOnlyList<TokenPair> pairs, (float Chosen, float Rejected)[] reference, AdamW optimizer, DpoSettings s, ulong seed,
        DpoProgress done, DpoState? state, IProgress<int>? steps, CancellationToken ct, ICollective? group)
    {
        int stepsPerEpoch = pairs.Count.StepsOf(s) / s.Epochs;
        bool stopping = false;
        for (int epoch = done.Step / stepsPerEpoch; epoch < s.Epochs; epoch++)
        {
            var order = KeyedUniform.Permutation(pairs.Count, KeyedUniform.Bits(seed, ShufflePurpose, epoch, 0));
            foreach (var indices in order.Chunk(s.BatchSize).Skip(done.Step - epoch * stepsPerEpoch))
            {
                if (group is null ? ct.IsCancellationRequested : stopping)
                {
                    Save();
                    throw new OperationCanceledException(ct);
                }
                (done, stopping) = Step(pairs, reference, indices, optimizer, s, seed, done.Step % stepsPerEpoch == 0 ? done with { Right = 0, Margin = 0 } : done, group, ct);
                if (state is not null && (done.Step % state.EverySteps == 0 || done.Step == stepsPerEpoch * s.Epochs))
                    Save();
                steps?.Report(done.Step);
            }
        }
        return done.ToSummary(pairs.Count);

        void Save()
        {
            if (group is null || group.Rank == 0)
                state?.Save(done);
        }
    }

    // One optimiser step on the mean loss of the pairs at these indices.
    private (DpoProgress Done, bool Stopping) Step(
        IReadOnlyList<TokenPair> pairs, (float Chosen, float Rejected)[] reference, int[] indices, AdamW optimizer, DpoSettings s, ulong seed, DpoProgress done, ICollective? group, CancellationToken ct)
    {
        using var scope = NewDisposeScope();
        foreach (var parameters in optimizer.ParamGroups)
            parameters.LearningRate = s.LearningRate * Math.Min(1, (done.Step + 1.0) / Math.Max(1, s.WarmUpSteps));
        _work.Begin();
        optimizer.zero_grad();
        double loss = 0, margin = 0;
        int right = 0, part = s.GradientAccumulation * (group?.Rank ?? 0);
        foreach (var some in group.Share(indices).Chunk(s.PartSize))
        {
            using var partScope = NewDisposeScope(); // activations of one part are gone before the next begins
            if (adapter.Dropout > 0)
                manual_seed((long)KeyedUniform.Bits(seed, DropoutPurpose, done.Step, part++)); // so that no generator's state needs saving
            using var batch = new PairBatch([.. some.Select(i => pairs[i])], s.MaxPromptTokens, model.Device);
            var referenceChosen = tensor(some.Select(i => reference[i].Chosen).ToArray()).to(model.Device);
            var referenceRejected = tensor(some.Select(i => reference[i].Rejected).ToArray()).to(model.Device);
            var (chosen, rejected) = batch.LogProbabilities(model);
            var losses = s.Loss == PreferenceLoss.Ipo
                ? DpoLoss.IdentityLoss(chosen, rejected, referenceChosen, referenceRejected, s.Beta, s.LabelSmoothing)
                : DpoLoss.Loss(chosen, rejected, referenceChosen, referenceRejected, s.Beta, s.LabelSmoothing);
            var share = some.Length == indices.Length ? losses.mean() : losses.sum([0L]).div(indices.Length);
            loss += share.item<float>();
            foreach (float m in DpoLoss.Margin(chosen.detach(), rejected.detach(), referenceChosen, referenceRejected, s.Beta).cpu().data<float>())
            {
                margin += m;
                right += m > 0 ? 1 : 0;
            }
            _work.Took("forward");
            share.backward();
            _work.Took("backward");
            _work.Tokens(some.Sum(i => (long)Math.Min(pairs[i].Prompt.Length, s.MaxPromptTokens) + pairs[i].Chosen.Length + pairs[i].Rejected.Length));
        }
        if (group is not null)
            group.Sum([.. adapter.NamedParameters.Select(p => p.Parameter)]);
        var sums = group.Sum(model.Device, loss, margin, right, ct.IsCancellationRequested ? 1 : 0);
        loss = sums[0];
        if (group is not null)
            _work.Took("exchange");
        if (!double.IsFinite(loss)) // on all ranks alike
            throw new ArithmeticException($"the DPO loss must be finite, got {loss} at step {done.Step}; a lower learning rate may help");
        if (double.IsFinite(s.MaxGradientNorm))
            nn.utils.clip_grad_norm_(adapter.Parameters, s.MaxGradientNorm);
        optimizer.step();
        _work.Took("update");
        // Who is to stop tells the others, so that all stop after the same step.
        return (new DpoProgress(done.Step + 1, done.Step == 0 ? loss : done.FirstLoss, loss, done.Right + (int)sums[2], done.Margin + sums[1]), sums[3] > 0);
    }

    private void Check(TokenPair pair, int index, DpoSettings s)
    {
        if (pair.Prompt.Length == 0 || pair.Chosen.Length == 0 || pair.Rejected.Length == 0)
            throw new ArgumentException($"pair {index}: prompt, chosen and rejected must have at least one token each, got {pair.Prompt.Length}, {pair.Chosen.Length}, {pair.Rejected.Length}");
        int longest = Math.Min(pair.Prompt.Length, s.MaxPromptTokens) + Math.Max(pair.Chosen.Length, pair.Rejected.Length) - 1;
        if (longest > model.Shape.MaxLength)
            throw new ArgumentException($"pair {index}: prompt and completion must have at most MaxLength + 1 = {model.Shape.MaxLength + 1} tokens, got {longest + 1}");
        foreach (var tokens in (int[][])[pair.Prompt, pair.Chosen, pair.Rejected])
        {
            if (tokens.FirstOrDefault(id => (uint)id >= (uint)model.Shape.VocabularySize, 0) is var wrong and not 0)
                throw new ArgumentException($"pair {index}: tokens must be in [0, {model.Shape.VocabularySize}), got {wrong}");
        }
        if (pair.Chosen.AsSpan(..^1).Contains(endToken) || pair.Rejected.AsSpan(..^1).Contains(endToken))
            throw new ArgumentException($"pair {index}: a completion must hold the end token {endToken} only as its last token");
    }
}
