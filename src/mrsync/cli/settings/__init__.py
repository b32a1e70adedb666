"""From words of a command line and settings files to the settings of a run."""
