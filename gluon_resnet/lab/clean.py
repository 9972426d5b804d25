"""The result of a finished run on Fashion-MNIST on what an audit leaves of the test part.

clean_accuracy_of_run("runs/experiments/speedrun/speedrun-seed0", "audits/fashion-mnist")
"""

from pathlib import Path
from typing import Any, Union

import pandas as pd

from ..audit.clean import clean_accuracy, open_audit
from ..data.fashion_mnist import load_arrays
from ..runs.network import network_of_run
from .folds import probabilities


def clean_accuracy_of_run(run: Union[str, Path], folder: Union[str, Path]) -> pd.DataFrame:
    """The table of audit.clean.clean_accuracy for the run folder ``run`` and the audit in ``folder``.

    Its first row is the test accuracy of the network as it was saved. Raises as open_audit, and RunError or
    WeightsError if the run is not finished or damaged.
    """
    found = open_audit(folder, run)
    config: Any = network_of_run(run).config  # a FashionMnistConfig: open_audit has checked
    _, (images, labels), _ = load_arrays(config.data, config.verify)
    return clean_accuracy(probabilities(run, images).argmax(axis=1) == labels, found)
