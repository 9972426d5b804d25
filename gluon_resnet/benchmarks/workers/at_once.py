"""To be imported before mxnet by workers that only predict: mxnet then computes as in predict and evaluate."""

from gluon_resnet.machine import env

env.compute_at_once()
