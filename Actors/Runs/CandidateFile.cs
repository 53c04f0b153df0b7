using System.Collections.Immutable;

namespace Chorus.Actors.Runs;

/// <summary>A round's candidates as they lie in the run's folder. Candidate index = prompt x samples + sample.</summary>
/// <param name="Prompts">For each prompt, the indices of the public texts it shows.</param>
public sealed record CandidateFile(int Round, int SamplesPerPrompt, ImmutableArray<ImmutableArray<int>> Prompts, ImmutableArray<CandidateText> Candidates);

/// <summary>One candidate: its text, and the tokens that were sampled (a text rarely encodes back to them).</summary>
public sealed record CandidateText(string Text, ImmutableArray<int> Tokens, bool Ended);

/// <summary>Texts that the policy wrote to the same prompts before the first round and after the last.</summary>
public sealed record SampleFile(ImmutableArray<string> Before, ImmutableArray<string> After);
