"""What this machine is, and what must be set before mxnet is loaded. Nothing here imports mxnet."""
