"""The mapping of variables: role, number and address of each process, whoever started it."""

from gluon_resnet.distributed import jobs, roles
from gluon_resnet.distributed.addresses import Host
from gluon_resnet.distributed.roles import Layout
from gluon_resnet.errors import ConfigError

import pytest

LAYOUT = Layout(workers=3, servers=2, root="10.0.0.1", port=9092)


def test_the_variables_of_ps_lite_by_hand():
    assert LAYOUT.variables("server", 1, "10.0.0.2") == {
        "DMLC_ROLE": "server",
        "DMLC_PS_ROOT_URI": "10.0.0.1",
        "DMLC_PS_ROOT_PORT": "9092",
        "DMLC_NUM_WORKER": "3",
        "DMLC_NUM_SERVER": "2",
        "DMLC_NODE_HOST": "10.0.0.2",
        "PS_HEARTBEAT_INTERVAL": "5",
        "PS_HEARTBEAT_TIMEOUT": "30",
    }
    worker = LAYOUT.variables("worker", 2, "10.0.0.3")
    assert worker["DMLC_ROLE"] == "worker" and worker["GLUON_RESNET_RANK"] == "2"
    assert worker["GLUON_RESNET_KVSTORE"] == "dist_sync" and "GLUON_RESNET_COMPRESSION" not in worker


def test_tasks_are_the_scheduler_then_the_servers_then_the_workers():
    places = [LAYOUT.place(task) for task in range(LAYOUT.tasks)]
    assert places == [("scheduler", 0), ("server", 0), ("server", 1), ("worker", 0), ("worker", 1), ("worker", 2)]
    alone = Layout(3, 2, "", 0, "allreduce")
    assert [alone.place(task) for task in range(alone.tasks)] == [("worker", 0), ("worker", 1), ("worker", 2)]
    assert not any(name.startswith("DMLC") for name in alone.variables("worker", 1, ""))


@pytest.mark.parametrize(
    "system, environ",
    [
        ("slurm", {"SLURM_PROCID": "4", "SLURM_NTASKS": "6"}),
        ("mpirun", {"OMPI_COMM_WORLD_RANK": "4", "OMPI_COMM_WORLD_SIZE": "6"}),
        ("mpirun", {"PMI_RANK": "4", "PMI_SIZE": "6"}),
        ("jobset", {"JOB_COMPLETION_INDEX": "4"}),
    ],
)
def test_each_system_gives_the_number_of_the_task(system, environ):
    assert roles.task_of(system, environ, 6) == 4
    with pytest.raises(ConfigError, match="expected 4 in all, numbered from 0"):
        roles.task_of(system, environ, 4)
    with pytest.raises(ConfigError, match="is not set: expected to be started by"):
        roles.task_of(system, {}, 6)
    name = next(iter(environ))
    with pytest.raises(ConfigError, match=f"{name} is 'x': expected a whole number"):
        roles.task_of(system, {**environ, name: "x"}, 6)


@pytest.mark.parametrize(
    "nodes, first",
    [
        ("node7", "node7"),
        ("a1,a2", "a1"),
        ("node[03-08,12]", "node03"),
        ("rack2-node[1,4]-ib,x", "rack2-node1-ib"),
        ("", None),
    ],
)
def test_the_first_node_of_slurms_list(nodes, first):
    assert roles.root_of("slurm", {"SLURM_JOB_NODELIST": nodes}) == first
    assert roles.root_of("mpirun", {"SLURM_JOB_NODELIST": nodes}) is None


def test_two_jobs_of_slurm_on_a_node_have_two_ports():
    ports = {roles.port_of("slurm", {"SLURM_JOB_ID": job}) for job in ("7120", "7121")}
    assert ports == {27120, 27121} and roles.port_of("jobset", {}) == 9092


JOB = jobs.Job(("train", "fashion-mnist"), workers=3, servers=2)


def test_a_task_of_slurm_is_a_worker_with_its_variables():
    environ = {"SLURM_PROCID": "3", "SLURM_NTASKS": "6", "SLURM_JOB_NODELIST": "127.0.0.1", "SLURM_JOB_ID": "5"}
    task = jobs.task(JOB, "slurm", environ)
    assert (task.role, task.number) == ("worker", 0)
    assert task.command[1:] == ("-m", "gluon_resnet", "train", "fashion-mnist")
    found = {name: task.variables[name] for name in ("DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT", "DMLC_NODE_HOST")}
    assert found == {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": "20005", "DMLC_NODE_HOST": "127.0.0.1"}
    server = jobs.task(JOB, "slurm", {**environ, "SLURM_PROCID": "2"})
    assert server.role == "server" and server.command[1] == "-c" and "mxnet" in server.command[2]


def test_a_system_that_does_not_say_where_task_0_is_needs_root():
    environ = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "6"}
    with pytest.raises(ConfigError, match="--under mpirun needs --root HOST, the machine of task 0"):
        jobs.task(JOB, "mpirun", environ)
    assert jobs.task(JOB, "mpirun", environ, root="127.0.0.1").role == "scheduler"


def test_workers_fill_the_slots_and_servers_go_round():
    hosts = (Host("a", "10.0.0.1", 2), Host("b", "10.0.0.2", 1))
    job = jobs.Job(("train",), workers=3, servers=3, hosts=hosts)
    made = jobs.orders(job, jobs.layout_of(job), job.words)
    assert [(order.name, order.host.name, order.sharing) for order in made] == [
        ("scheduler", "a", 2),
        ("server 0", "a", 2),
        ("server 1", "b", 1),
        ("server 2", "a", 2),
        ("worker 0", "a", 2),
        ("worker 1", "a", 2),
        ("worker 2", "b", 1),
    ]
    assert {order.variables["DMLC_PS_ROOT_URI"] for order in made} == {"10.0.0.1"}
    assert [order.variables["DMLC_NODE_HOST"] for order in made[4:]] == ["10.0.0.1", "10.0.0.1", "10.0.0.2"]
    with pytest.raises(ConfigError, match="--workers is 4: expected at most 3, as the host file has slots"):
        jobs.orders(jobs.Job(("train",), workers=4, hosts=hosts), LAYOUT, ())


def test_variables_that_are_passed_on():
    environ = {"PS_RESEND": "1", "MXNET_X": "2", "GLUON_RESNET_SET": "a=b", "GLUON_RESNET_HOME": "/h", "PATH": "/bin"}
    assert jobs.passed_on(environ) == {"PS_RESEND": "1", "MXNET_X": "2", "GLUON_RESNET_HOME": "/h"}
