using static TorchSharp.torch;

namespace Chorus.Gpu.Dpo;

/// <summary>Direct preference optimisation's loss (arXiv:2305.18290v3, eq. 7), with label smoothing as in conservative DPO.</summary>
public static class DpoLoss
{
    /// <summary>-(1 - e) log sigmoid(h) - e log sigmoid(-h) with h = <see cref="Margin"/>: one loss a pair, [B]; the caller owns it.</summary>
    /// <param name="policyChosen">[B], summed log-probability of each chosen completion under the policy.</param>
    /// <param name="policyRejected">[B].</param>
    /// <param name="referenceChosen">[B], the same under the reference policy.</param>
    /// <param name="referenceRejected">[B].</param>
    /// <param name="beta">Above 0.</param>
    /// <param name="labelSmoothing">e, in [0, 0.5).</param>
    public static Tensor Loss(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, double beta, double labelSmoothing)
    {
        using var scope = NewDisposeScope();
        var margin = Margin(policyChosen, policyRejected, referenceChosen, referenceRejected, beta);
        var loss = nn.functional.logsigmoid(margin).mul(labelSmoothing - 1);
        if (labelSmoothing > 0)
            loss = loss - nn.functional.logsigmoid(margin.neg()).mul(labelSmoothing);
        return loss.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Identity preference optimisation's loss (arXiv:2310.12036, eq. 17): the squared distance of h / beta, the log-ratio that the chosen has gained on the rejected, from 1 / (2 beta); one loss a pair, [B];
    /// the caller owns it. Unlike DPO's it ends at a finite margin. With label smoothing e the expected loss over right and wrong orders has its minimum at (1 - 2 e) / (2 beta), and is this up to a constant.
    /// </summary>
    /// <inheritdoc cref="Loss" path="/param"/>
    public static Tensor IdentityLoss(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, double beta, double labelSmoothing)
    {
        using var scope = NewDisposeScope();
        var gained = Margin(policyChosen, policyRejected, referenceChosen, referenceRejected, 1);
        return gained.sub((1 - 2 * labelSmoothing) / (2 * beta)).square().MoveToOuterDisposeScope();
    }

    /// <summary>The chosen's reward minus the rejected's, beta ((pc - rc) - (pr - rr)): [B]; the caller owns it.</summary>
    public static Tensor Margin(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, double beta)
    {
        using var scope = NewDisposeScope();
        return ((policyChosen - policyRejected) - (referenceChosen - referenceRejected)).mul(beta).MoveToOuterDisposeScope();
    }
}
