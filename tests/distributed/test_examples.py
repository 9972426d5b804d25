"""The examples of docs/distributed.md for other launchers, read from the document: what each task would be."""

import re
import shlex

from gluon_resnet.commands import launch
from gluon_resnet.distributed import jobs

import pytest
import yaml

from tests.conftest import ROOT
from tests.documents.documents import blocks

EXAMPLES = [block for block in blocks(ROOT / "docs" / "distributed.md") if block.language in ("bash", "yaml")]


def example(word):
    """The one example with ``word`` in it."""
    (found,) = [block for block in EXAMPLES if word in block.text]
    return found.text


def job_of(words):
    """The Job of the words of gluon-resnet launch, with the options."""
    assert words[:2] == ["gluon-resnet", "launch"]
    params = launch.launch.make_context("launch", words[2:]).params
    return launch._job(params["words"], params, ()), params


def tasks(words, environs):
    """The Task of each process that a system starts, by its variables; a name stands for this machine."""
    job, params = job_of(words)
    root = "127.0.0.1" if params["root"] else None
    return job, [jobs.task(job, params["under"], environ, root) for environ in environs]


def assert_right(job, made, port):
    """Each role the right number of times, all with the same root, workers numbered from 0."""
    roles = [task.role for task in made]
    assert roles == ["scheduler"] + ["server"] * job.servers + ["worker"] * job.workers
    for task in made:
        assert task.variables["DMLC_ROLE"] == task.role
        assert task.variables["DMLC_PS_ROOT_URI"] == task.variables["DMLC_NODE_HOST"] == "127.0.0.1"
        assert task.variables["DMLC_PS_ROOT_PORT"] == port
        assert task.variables["DMLC_NUM_WORKER"] == str(job.workers)
        assert task.variables["DMLC_NUM_SERVER"] == str(job.servers)
        assert task.variables["PS_HEARTBEAT_INTERVAL"] == "5"
    ranks = [task.variables["GLUON_RESNET_RANK"] for task in made if task.role == "worker"]
    assert ranks == [str(number) for number in range(job.workers)]
    trainings = {task.command[3:] for task in made if task.role == "worker"}
    assert trainings == {job.words}


def test_there_are_three_examples():
    assert [block.language for block in EXAMPLES] == ["bash", "bash", "yaml"]


def test_slurm():
    text = example("#SBATCH")
    number = int(re.search(r"^#SBATCH --ntasks=(\d+)$", text, re.M)[1])
    (line,) = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.startswith("srun ")]
    words = shlex.split(line)
    assert words[1] == "--kill-on-bad-exit=1"  # or the others would go on waiting
    environs = [
        {
            "SLURM_PROCID": str(task),
            "SLURM_NTASKS": str(number),
            "SLURM_JOB_NODELIST": "127.0.0.1",
            "SLURM_JOB_ID": "4242",
        }
        for task in range(number)
    ]
    assert_right(*tasks(words[2:], environs), "24242")


def test_mpirun():
    words = shlex.split(re.sub(r"\\\n\s*", "", example("mpirun -n")))
    assert words[:2] == ["mpirun", "-n"]
    number, hosts = int(words[2]), words[words.index("--host") + 1]
    assert sum(int(host.partition(":")[2]) for host in hosts.split(",")) == number
    start = words.index("gluon-resnet")
    assert words[words.index("--root") + 1] == hosts.partition(":")[0]
    environs = [{"OMPI_COMM_WORLD_RANK": str(i), "OMPI_COMM_WORLD_SIZE": str(number)} for i in range(number)]
    assert_right(*tasks(words[start:], environs), "9092")


def test_jobset():
    content = yaml.safe_load(example("JobSet"))
    assert content["apiVersion"] == "jobset.x-k8s.io/v1alpha2" and content["kind"] == "JobSet"
    (replicated,) = content["spec"]["replicatedJobs"]
    spec = replicated["template"]["spec"]
    assert spec["completionMode"] == "Indexed" and spec["parallelism"] == spec["completions"]
    assert replicated["replicas"] == 1 and spec["backoffLimit"] == 0 and content["spec"]["failurePolicy"]["maxRestarts"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["restartPolicy"] == "Never"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    words = container["command"]
    assert all(isinstance(word, str) for word in words)
    name = f"{content['metadata']['name']}-{replicated['name']}-0-0.{content['metadata']['name']}"
    assert words[words.index("--root") + 1] == name
    environs = [{"JOB_COMPLETION_INDEX": str(i)} for i in range(spec["completions"])]
    assert_right(*tasks(words, environs), "9092")


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_a_job_that_the_system_starts_again_resumes_its_run(tmp_path, has_checkpoint):
    run = tmp_path / "run"
    run.mkdir()
    (run / ("checkpoint.npz" if has_checkpoint else "config.json")).touch()
    words = ["gluon-resnet", "launch", "--under", "mpirun", "--root", "x", "--workers", "2", "--restarts", "1", "--"]
    words += ["train", "fashion-mnist", "--out", str(run)]
    environs = [{"OMPI_COMM_WORLD_RANK": str(i), "OMPI_COMM_WORLD_SIZE": "4"} for i in range(4)]
    _, made = tasks(words, environs)
    resumed = ("train", "fashion-mnist", "--resume", str(run))
    assert {task.command[3:] for task in made[2:]} == {resumed if has_checkpoint else tuple(words[-4:])}
    assert run.exists() == has_checkpoint  # worker 0 has moved the other one aside
