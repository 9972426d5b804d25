"""What this machine is, what must be set before mxnet is loaded, and downloads; nothing here imports mxnet."""
