"""An evaluation as a folder of numbers, tables and figures, which is written whole or not at all.

    save(run, examples, evaluation, "report", cams=["Red_headed_Woodpecker/pileated.jpg"])

The folder has metrics.json, classes.csv, confusion.csv, predictions.csv (a line for each image), confusion.png,
top_losses.png, reliability.png and predictions.png, and a cam_*.png for each image asked for.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy
import pandas as pd
from matplotlib.figure import Figure

from ..errors import ConfigError, RunError
from ..files import as_json, folder_written_whole
from ..instruments.engines import make_engine
from ..instruments.gradcam import enlarge, grad_cam
from ..runs.network import RunNetwork
from . import plots
from .evaluate import Evaluation, Examples
from .predict import softmax

SHOWN = 12  # images with the largest losses that are drawn
GRID = 8  # images of article 000's grid


def check_target(path: Union[str, Path]) -> None:
    """Raise RunError unless ``path`` is new or an empty folder, in a folder that exists."""
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(
            f"{path}: {'not empty' if path.is_dir() else 'a file'}; name a new folder with --save, or remove this one"
        )
    if not path.absolute().parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}")


def as_dict(run: RunNetwork, evaluation: Evaluation, where: str, part: str) -> Dict[str, Any]:
    """An evaluation as a dict for JSON, without its table of single predictions.

    Args:
        run: the run that was evaluated.
        evaluation: its results.
        where: what the data are called.
        part: the part of the data.
    """

    def records(table: pd.DataFrame) -> List[Dict[str, Any]]:
        return table.astype(object).where(table.notna(), None).to_dict("records")

    return {
        "run": str(run.path),
        "network": run.spec.name,
        "data": where,
        "part": part,
        **evaluation.summary,
        "classes": records(evaluation.classes),
        "confusion": evaluation.confusion.to_numpy().tolist(),
        "most_confused": records(evaluation.pairs),
        "calibration": records(evaluation.calibration),
        "largest_losses": records(evaluation.top_losses()),
    }


def class_maps(run: RunNetwork, examples: Examples, i: int, class_name: Optional[str] = None) -> Figure:
    """Grad-CAM of one image as a matplotlib Figure: where the network looked.

    Args:
        run: a finished run, as network_of_run returns it.
        examples: the images, from open_examples.
        i: index of the image; ``examples.find(name)`` gives it.
        class_name: the class to explain; the predicted class and the true one if None.

    Raises:
        ConfigError: the run does not know the class.
    """
    names = list(run.class_names)
    if class_name is not None and class_name not in names:
        raise ConfigError(f"class '{class_name}': expected one of {', '.join(names)}")
    engine, X, picture = make_engine("gluon", run.spec, run.params), examples.X([i]), examples.picture(i)
    predicted, true = grad_cam(engine, X), int(examples.y[i])
    classes = [names.index(class_name)] if class_name is not None else [int(predicted.classes[0])]
    if class_name is None and true != classes[0]:
        classes.append(true)
    probabilities = softmax(predicted.logits)[0]  # (num_classes,)
    maps = [grad_cam(engine, X, [c]).maps[0] for c in classes]
    titles = [
        f"{names[c]} {probabilities[c]:.3f}{'' if heat.any() else ' (nothing)'}" for c, heat in zip(classes, maps)
    ]
    height, width = picture.shape[:2]
    heats = [enlarge(heat, height, width) for heat in maps]
    return plots.draw_class_maps(picture, heats, titles, f"{examples.names[i]} (true: {names[true]})")


def _pictures(examples: Examples, evaluation: Evaluation) -> Dict[str, Figure]:
    """{file name: Figure} of the figures that every evaluation has."""
    worst = evaluation.top_losses(SHOWN)
    spread = numpy.unique(numpy.linspace(0, len(examples) - 1, GRID).round().astype(int))
    return {
        "confusion.png": plots.draw_confusion(evaluation.confusion),
        "top_losses.png": plots.draw_top_losses([examples.picture(i) for i in worst.index], worst),
        "reliability.png": plots.draw_reliability(evaluation.calibration, evaluation.summary["ece"]),
        "predictions.png": plots.draw_prediction_grid(
            [examples.picture(i) for i in spread], evaluation.predictions.loc[spread]
        ),
    }


def save(
    run: RunNetwork,
    examples: Examples,
    evaluation: Evaluation,
    path: Union[str, Path],
    part: str = "",
    cams: Sequence[str] = (),
    cam_class: Optional[str] = None,
) -> List[str]:
    """Write an evaluation as the folder ``path``.

    Args:
        run: the run that was evaluated.
        examples: the images.
        evaluation: the results.
        path: a new or empty folder.
        part: the part of the data, for metrics.json.
        cams: names of images (see Examples.find) whose class maps are drawn.
        cam_class: the class of these maps; the predicted class and the true one if None.

    Returns:
        The names of the files, sorted.

    Raises:
        RunError: the folder cannot be written.
        DataError: no image, or more than one, has a name in ``cams``.
        ConfigError: the run does not know ``cam_class``.
    """
    check_target(path)
    numbers = [examples.find(name) for name in cams]
    figures = _pictures(examples, evaluation)
    for i in numbers:
        name = re.sub(r"[^\w.-]+", "_", os.path.splitext(examples.names[i])[0])
        figures[f"cam_{name}.png"] = class_maps(run, examples, i, cam_class)
    with folder_written_whole(path) as temporary:
        (temporary / "metrics.json").write_text(
            as_json(as_dict(run, evaluation, examples.where, part)), encoding="utf-8"
        )
        for name, table in (
            ("classes", evaluation.classes.set_index("class")),
            ("confusion", evaluation.confusion),
            ("predictions", evaluation.predictions.set_index("name")),
        ):
            # names need not be UTF-8: as printable() does
            table.to_csv(temporary / f"{name}.csv", float_format="%.6g", errors="replace")
        for name, figure in figures.items():
            figure.savefig(temporary / name, dpi=110)
        names = sorted(file.name for file in temporary.iterdir())
    return names


def read(path: Union[str, Path]) -> Tuple[Evaluation, Dict[str, str]]:
    """(Evaluation, {"run", "network", "data", "part"}) of a folder that :func:`save` wrote.

    Its predictions lack the column ``right``. Raises RunError if a file is missing or damaged.
    """
    path = Path(path)
    again = "make it again with gluon-resnet evaluate RUN --save DIR"
    try:
        content = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
        classes = pd.DataFrame(content["classes"], columns=["class", "precision", "recall", "f1", "support"])
        names = [str(name) for name in classes["class"]][:-2]  # after the classes come two means
        confusion = pd.DataFrame(content["confusion"], index=pd.Index(names, name="true"), columns=names).astype(int)
        pairs = pd.DataFrame(content["most_confused"], columns=["true", "predicted", "count", "share"])
        summary = {name: content[name] for name in ("pictures", "loss", "top1", "top5", "ece")}
        about = {name: str(content[name]) for name in ("run", "network", "data", "part")}
        texts = ["name", "part", "true", "predicted"]
        predictions = pd.read_csv(path / "predictions.csv", dtype={name: str for name in texts}, keep_default_na=False)
        predictions = predictions[texts + ["probability", "probability_of_true", "loss"]]
        evaluation = Evaluation(summary, classes, confusion, pairs, pd.DataFrame(content["calibration"]), predictions)
        _check_numbers(evaluation)
    except OSError as error:
        raise RunError(
            f"{error.filename}: cannot be read ({error.strerror}): expected a folder of gluon-resnet "
            f"evaluate --save; {again}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: not an evaluation that can be read ({type(error).__name__}: {error}): expected "
            f"metrics.json and predictions.csv as gluon-resnet evaluate --save writes them; "
            f"{again}"
        ) from None
    return evaluation, about


def _check_numbers(evaluation: Evaluation) -> None:
    """Raise ValueError or TypeError if an Evaluation read from files has something else in place of a number."""
    for table, columns in (
        (evaluation.classes, ["precision", "recall", "f1", "support"]),
        (evaluation.pairs, ["count", "share"]),
        (evaluation.predictions, ["probability", "probability_of_true", "loss"]),
    ):
        for column in columns:
            table[column] = pd.to_numeric(table[column])
    for name, value in evaluation.summary.items():
        if value is not None or name != "top5":
            evaluation.summary[name] = float(value)
