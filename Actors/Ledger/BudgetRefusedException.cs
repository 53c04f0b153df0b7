namespace Chorus.Actors.Ledger;

/// <summary>A run whose rounds would together pass its budget. The message says by how much, and what to change.</summary>
public sealed class BudgetRefusedException(string message) : Exception(message);
