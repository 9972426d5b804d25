"""What gluon-resnet exports, loaded by PyTorch itself into torchvision's own networks: the logits are ours.

    make parity

GLUON_RESNET_PARITY_PYTHON is a Python with torch and torchvision; scripts/parity.sh sets it.
"""

import os
import subprocess

from gluon_resnet.weights.export import export

import numpy
import pytest

from tests.conftest import ROOT, array, relative_error
from tests.documents.documents import blocks
from tests.weights.test_export import trained

pytestmark = pytest.mark.parity

SCRIPTS = ROOT / "scripts" / "parity"


def run_torch(*args, folder):
    """Run the Python that has torch; its absence is a failure."""
    python = os.environ.get("GLUON_RESNET_PARITY_PYTHON")
    if not python:
        pytest.fail("GLUON_RESNET_PARITY_PYTHON is not set: run make parity, which makes it and sets it")
    environ = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    subprocess.run([python, *map(str, args)], check=True, cwd=str(folder), env=environ)


@pytest.mark.parametrize(
    "name, channels, file",
    [
        ("resnet18@torchvision", 3, "net.pth"),
        ("resnet50@torchvision", 3, "net.pth"),
        ("resnet50@torchvision", 3, "net.safetensors"),
        ("resnet34@mxnet", 3, "net.pth"),
        ("resnet18@d2l", 1, "net.pth"),
        ("resnet34@d2l", 3, "net.pth"),
        ("resnext50_32x4d", 3, "net.pth"),
        ("wide_resnet50_2", 3, "net.safetensors"),
        ("resnet18d", 3, "net.safetensors"),
        ("resnet50d", 1, "net.pth"),
    ],
)
def test_the_logits_of_pytorch_are_ours(tmp_path, name, channels, file):
    net = trained(name, channels)
    export(net, tmp_path / file)
    X = numpy.random.RandomState(2).randn(2, channels, 64, 96).astype("float32")
    numpy.save(tmp_path / "X.npy", X)
    run_torch(SCRIPTS / "load_export.py", name.partition("@")[0], file, "X.npy", "y_hat.npy", folder=tmp_path)
    assert relative_error(numpy.load(tmp_path / "y_hat.npy"), net(array(X)).asnumpy()) < 1e-4


def test_the_code_in_the_document_loads_the_file_of_pytorch(tmp_path):
    """The block of docs/leaving-mxnet.md runs as it is, and its net computes what the book's network does."""
    (block,) = (block for block in blocks(ROOT / "docs" / "leaving-mxnet.md") if "import torch" in block.text)
    net = trained("resnet18@d2l", 1)
    export(net, tmp_path / "net.pth")
    X = numpy.random.RandomState(3).randn(2, 1, 96, 96).astype("float32")
    numpy.save(tmp_path / "X.npy", X)
    code = (
        f"import torchvision_cpu, numpy\n{block.text}\n"
        f"numpy.save('y_hat.npy', net(torch.from_numpy(numpy.load('X.npy'))).detach().numpy())"
    )
    run_torch("-c", code, folder=tmp_path)
    assert relative_error(numpy.load(tmp_path / "y_hat.npy"), net(array(X)).asnumpy()) < 1e-4
