"""Training runs: configs, launching, and the folders they leave behind."""
