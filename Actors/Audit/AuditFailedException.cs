namespace Chorus.Actors.Audit;

/// <summary>The audited run did not come to its end, so there is nothing to say about its mechanism. The message says why.</summary>
public sealed class AuditFailedException(string message) : Exception(message);
