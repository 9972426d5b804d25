"""The files that today's Keras holds back against those that ours does; scripts/parity/keras_split.py asks Keras.

make parity
"""

import json
import os
from pathlib import Path

from gluon_resnet.data.image_folder import open_folder, split_indices

import pytest

from scripts.parity.keras_split import CASES, digest, make_folder

pytestmark = pytest.mark.parity


def test_the_files_held_back_are_those_of_keras(tmp_path):
    cases = json.loads(Path(os.environ["GLUON_RESNET_PARITY"], "keras", "split.json").read_text())["cases"]
    assert {case["case"] for case in cases} == set(CASES)
    for number, case in enumerate(cases):
        make_folder(tmp_path / str(number), CASES[case["case"]][0])
        source = open_folder(tmp_path / str(number))
        training, validation = split_indices(len(source), case["validation_split"], case["seed"])
        assert source.subset(validation).names == case["validation"]
        assert digest(source.subset(training).names) == case["training_digest"]
