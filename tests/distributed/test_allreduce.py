"""Workers that mpirun starts and that sum by MPI end with one process's parameters, too: make test-allreduce."""

import json
import os
import subprocess
import sys

import numpy
import pytest

from tests.conftest import ROOT
from tests.distributed.test_equality import alone, difference

pytestmark = pytest.mark.allreduce


def mpirun(number, *words):
    """The finished process of mpirun with ``number`` times Python; mpi4py is in an environment of its own."""
    folder = os.environ["GLUON_RESNET_MPI"]
    (packages,) = [path for path in sys.path if path.endswith("site-packages") and os.path.isdir(path)][:1]
    own = os.path.join(folder, "lib", os.path.basename(os.path.dirname(packages)), "site-packages")
    environ = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{own}",
        "LD_LIBRARY_PATH": os.path.join(folder, "lib"),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [os.path.join(folder, "bin", "mpirun"), "--oversubscribe", "-n", str(number), sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environ, text=True, capture_output=True, timeout=300)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_same(tmp_path, workers):
    """The worker's number comes from mpirun's variable, as launch --under mpirun would hand it on."""
    code = (
        "import os, sys; os.environ.update(GLUON_RESNET_KVSTORE='allreduce', "
        "GLUON_RESNET_RANK=os.environ['OMPI_COMM_WORLD_RANK']); "
        "from tests.distributed.tiny_worker import main; main(*sys.argv[1:])"
    )
    done = mpirun(workers, "-c", code, str(tmp_path / "out.npz"), "plain", json.dumps({"accumulate": 2}))
    assert done.returncode == 0, done.stderr
    with numpy.load(tmp_path / "out.npz") as written:
        assert difference(dict(written), alone(settings={"accumulate": 2})) < 1e-5


def test_mpirun_ends_all_when_one_fails(tmp_path):
    code = "import os, time; from mpi4py import MPI; os._exit(7) if MPI.COMM_WORLD.Get_rank() else time.sleep(600)"
    done = mpirun(2, "-c", code)
    assert done.returncode == 7 and "exit" in done.stderr.lower() + done.stdout.lower()
