"""The command line. Commands parse and call the library, nothing else."""
