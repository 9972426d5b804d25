"""Scripts that the benchmark runs in processes of their own; see gluon_resnet/benchmarks/training.py."""
