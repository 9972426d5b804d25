"""Scripts that the benchmark runs in processes of their own; see gluon_resnet/benchmark.py."""
