"""Weight files that Keras, torchvision, timm, gluoncv, MXNet's zoo and PyTorch wrote, against their own logits.

    make parity

scripts/parity/ makes the files, with random parameters and running statistics; this reads them with ``load_weights``.
"""

import os
from pathlib import Path

import gluon_resnet as gr

import numpy
import pytest

from scripts.parity.cases import CASES
from tests.conftest import array

pytestmark = pytest.mark.parity

FILES = [
    pytest.param(library, case, file, id=f"{library}-{case}-{file}")
    for library, cases in CASES.items()
    for case, (_, files) in cases.items()
    for file in files
]

TOLERANCE = {"cifar": 1e-5}  # of the largest logit; other libraries' networks are deeper


@pytest.fixture
def folder():
    """Where scripts/parity.sh puts the files; its absence is a failure, not a reason to skip."""
    if not os.environ.get("GLUON_RESNET_PARITY"):
        pytest.fail("GLUON_RESNET_PARITY is not set: run make parity, which makes the files and sets it")
    path = Path(os.environ["GLUON_RESNET_PARITY"])
    if not path.is_dir():
        pytest.fail(f"GLUON_RESNET_PARITY: no folder {path}: run make parity, which makes it")
    return path


def loaded(model, path):
    """Our network ``model`` with the weights of the file at ``path``, its head of as many classes as the file's."""
    net = gr.get_model(model, gr.identify_weights(str(path)).spec.num_classes)
    gr.load_weights(net, str(path))
    return net


@pytest.mark.parametrize("library, case, file", FILES)
def test_the_logits_are_the_librarys_own(folder, library, case, file):
    path, (model, _) = folder / library / case, CASES[library][case]
    X, y_hat = numpy.load(path / "X.npy"), numpy.load(path / "y_hat.npy")
    largest = abs(y_hat).max()
    assert gr.identify_weights(str(path / file)).spec.name == model
    ours = loaded(model, path / file)(array(X)).asnumpy()
    apart = abs(ours - y_hat).max() / largest
    assert apart <= TOLERANCE.get(library, 1e-4), f"{apart:.2e} of the largest logit apart"
