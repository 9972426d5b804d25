"""What this machine is, and what must be set before mxnet is loaded; nothing here imports mxnet."""
