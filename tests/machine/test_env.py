"""Threads, control groups, CUDA libraries and the warning, on made-up machines."""

import ctypes
import math
import os
import subprocess
import sys

from gluon_resnet.machine import env, removed_names

import pytest


def machine(root, cores, threads_per_core=1, groups=None, cgroup=None):
    """A /sys and /proc of ``cores`` cores below ``root``; ``groups`` are {path below /sys/fs/cgroup: {file: text}}."""
    for cpu in range(cores * threads_per_core):
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{cpu % cores}\n")
    for path, files in (groups or {}).items():
        folder = root / "sys/fs/cgroup" / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    if cgroup:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(cgroup)
    return root


@pytest.fixture
def allowed(monkeypatch):
    """Set the processors that this process may use."""
    return lambda cpus: monkeypatch.setattr(env, "allowed_cpus", lambda: list(cpus))


def plan(root, **environ):
    return env.thread_plan(environ, root)


def test_hyperthreads_count_once(tmp_path, allowed):
    allowed(range(8))
    found = plan(machine(tmp_path, 4, threads_per_core=2))
    assert found == env.ThreadPlan(4, True, "physical cores this process may use")


def test_affinity_is_respected(tmp_path, allowed):
    root = machine(tmp_path, 4, threads_per_core=2)
    allowed([1, 5])  # both hyperthreads of one core
    assert plan(root).threads == 1
    allowed([0, 1, 6])
    assert plan(root).threads == 3


def test_an_unreadable_topology_counts_processors(tmp_path, allowed):
    allowed(range(3))
    assert plan(tmp_path).threads == 3


@pytest.mark.parametrize("text, threads", [("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1)])
def test_quota_of_control_groups_version_2(tmp_path, allowed, text, threads):
    allowed(range(16))
    root = machine(tmp_path, 16, groups={"a/b": {"cpu.max": text}, "a": {"cpu.max": "max 100000"}}, cgroup="0::/a/b\n")
    found = plan(root)
    assert (found.threads, found.bind) == (threads, False)  # bound, every container would sit on the first cores
    assert "control group" in found.reason


def test_the_smallest_quota_on_the_way_up_counts(tmp_path, allowed):
    allowed(range(16))
    root = machine(
        tmp_path, 16, groups={"a/b": {"cpu.max": "max 100000"}, "a": {"cpu.max": "300000 100000"}}, cgroup="0::/a/b\n"
    )
    assert plan(root).threads == 3


def test_quota_of_control_groups_version_1(tmp_path, allowed):
    allowed(range(16))
    files = {"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"}
    root = machine(tmp_path, 16, groups={"cpu,cpuacct/docker/x": files}, cgroup="4:cpu,cpuacct:/docker/x\n1:pids:/y\n")
    assert plan(root).threads == 2
    (root / "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us").write_text("-1")
    assert plan(root).threads == 16


def test_no_control_groups_no_limit(tmp_path):
    assert env.cgroup_cpus(tmp_path) == math.inf


def test_what_the_user_set_stays(tmp_path, allowed):
    allowed(range(8))
    root = machine(tmp_path, 8)
    assert plan(root, OMP_NUM_THREADS="3") == env.ThreadPlan(3, False, "OMP_NUM_THREADS is set by the user", True)
    assert plan(root, OMP_NUM_THREADS="3,2").threads == 3
    found = plan(root, OMP_PROC_BIND="spread")
    assert (found.threads, found.bind) == (8, True) and "OMP_PROC_BIND" in found.reason
    assert not plan(root, OMP_PROC_BIND="false").bind
    with pytest.warns(UserWarning, match="OMP_NUM_THREADS='many'"):
        assert plan(root, OMP_NUM_THREADS="many").threads == 8


def python(code, **environ):
    """Run ``code`` in a fresh Python without our own OpenMP variables; gives the finished process."""
    ours = (*env.OPENMP_VARIABLES, *env.MXNET_VARIABLES, env.SET_BY_US)
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env={**clean, **environ},
        text=True,
        capture_output=True,
        timeout=120,
    )


SHOW = "import os; print([os.environ.get(n) for n in ('OMP_NUM_THREADS', 'OMP_PROC_BIND', 'OMP_PLACES')])"


def test_importing_sets_the_variables_and_does_not_import_mxnet():
    expected = env.thread_plan({})
    process = python(
        "import sys, gluon_resnet; assert 'mxnet' not in sys.modules and 'matplotlib' not in sys.modules; " + SHOW
    )
    values = [str(expected.threads)] + (["true", "cores"] if expected.bind else [None, None])
    assert process.stdout.strip() == str(values), process.stderr


def test_importing_respects_the_user():
    assert python("import gluon_resnet; " + SHOW, OMP_NUM_THREADS="1").stdout.strip() == "['1', None, None]"


def test_one_scratch_buffer_unless_the_user_wants_more():
    code = "import os, gluon_resnet; print(os.environ['MXNET_CPU_TEMP_COPY'])"
    assert python(code).stdout.strip() == "1"
    assert python(code, MXNET_CPU_TEMP_COPY="3").stdout.strip() == "3"


#: What a user on Python 3.12 or NumPy 1.24 has to write to import mxnet without us.
BY_HAND = (
    "import numpy\ntry:\n    import setuptools\nexcept ImportError:\n    pass\n"
    "for name in ('bool', 'int', 'float', 'complex', 'object', 'str'):\n"
    "    setattr(numpy, name, getattr(__import__('builtins'), name))\n"
)


def test_mxnet_first_warns_once():
    process = python(
        BY_HAND + "import mxnet, gluon_resnet\nfrom gluon_resnet import env\nenv.prepare(); env.prepare()\n" + SHOW
    )
    warnings = [line for line in process.stderr.splitlines() if "mxnet was imported before gluon_resnet" in line]
    assert len(warnings) == 1 and "put 'import gluon_resnet' above 'import mxnet'" in warnings[0]
    assert process.stdout.strip() == "[None, None, None]"


def test_mxnet_first_with_the_users_own_threads_is_fine():
    process = python(BY_HAND + "import mxnet, gluon_resnet", OMP_NUM_THREADS="2")
    assert process.returncode == 0 and "mxnet was imported" not in process.stderr


def test_another_program_gets_the_environment_as_it_was():
    code = (
        "import gluon_resnet; from gluon_resnet import env; e = env.without_prepared_variables(); "
        "print([e.get(n) for n in ('OMP_NUM_THREADS', 'OMP_PROC_BIND', 'OMP_PLACES')])"
    )
    assert python(code).stdout.strip() == "[None, None, None]"
    assert python(code, OMP_NUM_THREADS="1").stdout.strip() == "['1', None, None]"


def test_cuda_libraries_are_opened_in_order(tmp_path, monkeypatch):
    opened = []
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(ctypes, "CDLL", lambda path, mode: opened.append((path, mode)))
    for package, name in (
        ("cudnn", "libcudnn.so.8"),
        ("cuda_runtime", "libcudart.so.11.0"),
        ("cublas", "libcublas.so.11"),
        ("cublas", "libcublasLt.so.11"),
    ):
        folder = tmp_path / "nvidia" / package / "lib"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    paths = env.open_cuda_libraries()
    assert [os.path.basename(path) for path in paths] == [
        "libcudart.so.11.0",
        "libcublasLt.so.11",
        "libcublas.so.11",
        "libcudnn.so.8",
    ]
    assert opened == [(path, ctypes.RTLD_GLOBAL) for path in paths]


def test_a_cuda_library_that_cannot_be_opened_is_said(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    (folder / "libcudnn.so.8").write_text("not a library")
    with pytest.warns(UserWarning, match="cannot open .*libcudnn.so.8.*gluon-resnet doctor"):
        assert env.open_cuda_libraries() == ()


def test_the_cuda_build_has_its_libraries_opened():
    """prepare() with mxnet-cu112 in place of mxnet, as importlib.metadata would report it."""
    code = (
        "from importlib import metadata\n"
        "from gluon_resnet import env\n"
        "env._prepared = None\n"
        "env.mxnet_build = lambda: ('mxnet-cu112', '1.9.1')\n"
        "env.open_cuda_libraries = lambda: ('/x/libcudnn.so.8',)\n"
        "print(env.prepare().cuda_libraries)"
    )
    assert python(code).stdout.strip() == "('/x/libcudnn.so.8',)"


def test_removed_numpy_names_are_put_back(monkeypatch):
    import numpy

    monkeypatch.setattr(env.metadata, "version", lambda name: "1.26.4")
    for name in removed_names.NUMPY_ALIASES:
        monkeypatch.setitem(vars(numpy), name, None)
        del vars(numpy)[name]
    removed_names.restore_removed_names()
    assert numpy.bool is bool and numpy.object is object


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
@pytest.mark.parametrize("first, in_a_child", [("import mxnet", True), ("gluon_resnet.train_ch6", False)])
def test_python_keeps_all_its_processors_and_mxnets_threads_are_bound(first, in_a_child):
    """In a child of a process like this one, too: it does not take our variables for the user's."""
    code = (
        f"import os, gluon_resnet\nbefore = os.sched_getaffinity(0)\n{first}\nimport mxnet as mx\n"
        "a = mx.nd.ones((300, 300)); mx.nd.dot(a, a).wait_to_read()\n"
        "masks = [os.sched_getaffinity(int(t)) for t in os.listdir('/proc/self/task')]\n"
        "bound = any(mask < before for mask in masks)\n"
        "plan = gluon_resnet.machine.env.prepare().plan\n"
        "print(os.sched_getaffinity(0) == before, bound == (plan.bind and plan.threads > 1), plan.reason)"
    )
    expected = f"True True {env.thread_plan({}).reason}"
    assert python(code).stdout.strip() == expected
    if in_a_child:
        parent = f"import subprocess, sys, gluon_resnet\nsubprocess.run([sys.executable, '-c', {code!r}])"
        assert python(parent).stdout.strip() == expected


def test_a_child_keeps_what_the_user_set_for_it():
    code = (
        "import os, subprocess, sys, gluon_resnet\nos.environ['OMP_NUM_THREADS'] = '7'\n"
        f"subprocess.run([sys.executable, '-c', 'import gluon_resnet; ' + {SHOW!r}])"
    )
    assert python(code).stdout.strip() == "['7', None, None]"


def test_mxnet_runs_on_this_python():
    """On 3.12 and 3.13 that takes distutils and np.bool put back."""
    code = "import gluon_resnet as gr, mxnet as mx; print(gr.layer_shapes(gr.resnet18(), (1, 1, 32, 32)).shape)"
    process = python(code)
    assert process.stdout.strip() == "(10, 2)", process.stderr


def engine_type(code, **variables):
    """What a process prints that runs ``code`` and then looks for mxnet's own threads, and its standard error."""
    environ = {**{name: value for name, value in os.environ.items() if name != "MXNET_ENGINE_TYPE"}, **variables}
    code += "; mx.nd.ones(3).asnumpy(); print(os.environ.get('MXNET_ENGINE_TYPE'), len(os.listdir('/proc/self/task')))"
    code = "import os, sys, gluon_resnet; from gluon_resnet.machine import env; " + code
    process = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    return process.stdout.split(), process.stderr


def test_a_program_that_only_predicts_has_no_threads_of_mxnet():
    at_once = "print(env.compute_at_once()); import mxnet as mx; print('kept', file=sys.stderr)"
    (answer, engine, threads), errors = engine_type(at_once)
    assert (answer, engine) == ("True", "NaiveEngine") and errors == "kept\n"
    (too_late, own_engine, own_threads), _ = engine_type("import mxnet as mx; print(env.compute_at_once())")
    assert (too_late, own_engine) == ("False", "None") and int(own_threads) > int(threads)
    chosen = engine_type("print(env.compute_at_once()); import mxnet as mx", MXNET_ENGINE_TYPE="ThreadedEngine")
    assert chosen[0][:2] == ["False", "ThreadedEngine"]
