namespace Chorus.Actors.Runs;

public static class RunReport
{
    public static void Write(RunContext context, RunState state, int nodes, double seconds) => throw new NotSupportedException(context + state.ToString() + nodes + seconds);
    public static string Rewrite(RunFolder folder) => throw new NotSupportedException(folder.Path);
}
