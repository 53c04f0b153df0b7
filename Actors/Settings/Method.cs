namespace Chorus.Actors.Settings;

/// <summary>How a run makes something of its clients' texts.</summary>
public enum Method
{
    /// <summary>Preference-optimised synthetic data (arXiv:2504.16438), as published.</summary>
    Popri,
}
