#!/bin/sh
# Run the tests of --kvstore allreduce with Open MPI and mpi4py from PyPI, in an environment of their own next to VENV.
set -e
venv=$1
[ -x .venv-mpi/bin/mpirun ] || {
    "$venv/bin/python" -m venv .venv-mpi
    .venv-mpi/bin/pip install -q -r requirements-allreduce.txt
}
GLUON_RESNET_MPI=$PWD/.venv-mpi exec "$venv/bin/python" -m pytest -q -m allreduce tests/distributed
