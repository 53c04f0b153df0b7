namespace Chorus.Actors.Settings;

/// <summary>A setting that the user got wrong. The message names the key, what is allowed and what was found.</summary>
public sealed class SettingsException(string message) : Exception(message);
