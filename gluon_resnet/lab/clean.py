"""Results on Fashion-MNIST on what an audit leaves of the test part: of one run, and of an experiment.

clean_accuracy_of_run("runs/experiments/speedrun/speedrun-seed0", "audits/fashion-mnist")
"""

from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import pandas as pd

from ..audit.clean import checked_test_part, clean_accuracy, open_audit
from ..audit.files import Audit, read
from ..data.fashion_mnist import Arrays
from ..errors import ConfigError
from ..runs.kinds import FASHION_MNIST
from ..runs.network import network_of_run
from ..runs.table import read_run
from ..text import count
from .experiment import Experiment
from .folds import probabilities
from .sweep import Unit


def clean_accuracy_of_run(run: Union[str, Path], folder: Union[str, Path]) -> pd.DataFrame:
    """The table of audit.clean.clean_accuracy for the run folder ``run`` and the audit in ``folder``.

    Its first row is the test accuracy of the network as it was saved; from each image and its mirror image, if the
    run's recipe has ``test_views``. Raises as open_audit, and RunError or WeightsError if the run is not finished or
    damaged.
    """
    found, test = open_audit(folder, run)
    config: Any = network_of_run(run).config  # a FashionMnistConfig: open_audit has checked
    return _table(run, config, test, found)


def _table(run: Union[str, Path], config: Any, test: Arrays, found: Audit) -> pd.DataFrame:
    images, labels = test
    return clean_accuracy(probabilities(run, images, views=config.test_views).argmax(axis=1) == labels, found)


def audit_for(
    experiment: Experiment, configs: Mapping[str, Any], folder: Optional[Union[str, Path]]
) -> Optional[Tuple[Audit, Arrays]]:
    """The audit in ``folder``, of the data of an experiment's ``configs``, {arm: config}, and the data's test part.

    None without a folder.

    Raises:
        ConfigError: the experiment is not on Fashion-MNIST, or its test part is not to be looked at.
        RunError, DataError: the audit is missing or damaged, or one of other images.
    """
    if folder is None:
        return None
    if experiment.settings.kind != FASHION_MNIST.name:
        raise ConfigError(
            f"--clean: {experiment.name} is of the kind {experiment.settings.kind}: expected {FASHION_MNIST.name}, "
            f"which can be audited"
        )
    first = next(iter(configs.values()))  # all arms have the same data
    if first.hold_out:
        raise ConfigError(
            f"--clean: looks at the test part, and {first.hold_out:,} training images are held out to choose without "
            f"it; leave one of the two out"
        )
    found = read(folder)
    return found, checked_test_part(found, first.data, first.verify)


def clean_accuracies(units: Sequence[Unit], found: Audit, test: Arrays, say: Callable[[str], Any]) -> Dict[str, Any]:
    """The accuracies of finished runs on the parts of the test images that an audit leaves.

    Args:
        units: the runs.
        found: the audit, from :func:`audit_for`.
        test: images and labels of the test part, from there, too.
        say: takes one line of progress at a time.

    Returns:
        {"audit": its folder, "parts": [{"test part", "images"}], "arms": {arm: {seed: accuracies}}}, an accuracy for
        each part, or None instead of a list for a run that diverged.
    """
    say(f"testing {count(len(units), 'network')} on what {found.path} leaves of the test part")
    parts: List[Dict[str, Any]] = []
    arms: Dict[str, Dict[str, Any]] = {unit.arm: {} for unit in units}
    for unit in units:
        if read_run(unit.path).status == "diverged":
            arms[unit.arm][str(unit.seed)] = None
            continue
        table = _table(unit.path, unit.config, test, found)
        parts = table[["test part", "images"]].to_dict("records")
        arms[unit.arm][str(unit.seed)] = [round(float(accuracy), 6) for accuracy in table["accuracy"]]
    return {"audit": str(found.path), "parts": parts, "arms": arms}
