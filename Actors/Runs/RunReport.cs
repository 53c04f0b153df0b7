namespace Chorus.Actors.Runs;

internal static class RunReport
{
    public static void Write(RunContext context, RunState state, int nodes, double seconds) => throw new NotSupportedException(context + state.ToString() + nodes + seconds);
}
