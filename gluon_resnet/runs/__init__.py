"""Training runs: configs, launching, and their folders."""
