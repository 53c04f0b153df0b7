namespace Chorus.Cli;

/// <summary>What the command returns to its caller.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int BadInput = 2;
    public const int BudgetRefused = 3;

    /// <summary>An audit found more than the mechanism claims.</summary>
    public const int ClaimRefuted = 4;
}
