namespace Chorus.Gpu.Training;

/// <summary>A linear rise and then half a cosine down.</summary>
internal sealed class LearningRateSchedule(double largest, double finalShare, int warmUpSteps, int steps)
{
    /// <summary>The rate of a step, counted from 0.</summary>
    internal double At(int step)
    {
        var warmUp = Math.Min(warmUpSteps, steps / 2); // a short run is not all warm-up
        if (step < warmUp)
            return largest * (step + 1) / (warmUp + 1);
        var progress = steps - warmUp <= 1 ? 0 : Math.Min(1, (double)(step - warmUp) / (steps - warmUp - 1));
        return largest * (finalShare + (1 - finalShare) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }
}
