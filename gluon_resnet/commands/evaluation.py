"""evaluate and runs: what came out of training."""

import json
from typing import Any, Optional, Sequence, Tuple

import gluon_resnet as gr

import click
from tqdm import tqdm

from ..instruments import ENGINES, SHORT
from ..machine import env
from . import completion, lazy
from .groups import Group

calibration = lazy("evaluation.calibration")
cleaning = lazy("audit.clean")
devices = lazy("devices")
evaluation = lazy("evaluation.evaluate")
evaluation_files = lazy("evaluation.files")
evaluation_module = lazy("report.evaluation")
figures = lazy("figures")
looks = lazy("runs.looks")
page = lazy("report.page")
plots = lazy("evaluation.plots")
quantized = lazy("instruments.quantized")
run_table = lazy("runs.table")
table = lazy("runs.table")
text = lazy("text")

FORMAT = click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
TABLE = click.option("--format", "form", type=click.Choice(["text", "csv"]), default="text", show_default=True)


def _table(table: Any, **options: Any) -> str:
    return text.table(table, **options)


def _report(evaluation: Any) -> str:
    """An Evaluation as lines of text."""
    total, worst = evaluation.summary, evaluation.top_losses()
    top5 = "" if total["top5"] is None else f", top-5 {total['top5']:.4f}"
    rates = {name: evaluation.classes[name].map("{:.3f}".format) for name in ("precision", "recall", "f1")}
    classes = evaluation.classes.assign(**rates)
    lines = [
        f"loss {total['loss']:.4f}, top-1 {total['top1']:.4f}{top5}, calibration error {total['ece']:.4f}",
        "",
        _table(classes, colalign=("left",) + ("right",) * 4),
    ]
    if len(evaluation.pairs):
        pairs = evaluation.pairs.assign(share=evaluation.pairs["share"].map("{:.3f}".format))
        lines += ["", "most confused", _table(pairs, colalign=("left", "left", "right", "right"))]
    worst = worst[["name", "true", "predicted", "probability", "loss"]].assign(
        probability=worst["probability"].map("{:.3f}".format), loss=worst["loss"].map("{:.3f}".format)
    )
    return "\n".join([*lines, "", "largest losses", _table(worst, colalign=("left",) * 3 + ("right",) * 2)])


def _make_engine(name: str, network: Any, calibrate: Optional[str]) -> Any:
    """The engine ``name`` of a run's ``network``; int8 calibrated on the run's training part, or on ``calibrate``.

    An engine of shorter numbers is compared with float32 on the way.
    """
    if calibrate and name != "int8":
        raise click.UsageError("--calibrate goes with --engine int8")
    if name not in SHORT:
        return gr.make_engine(name, network.spec, network.params)
    exact = gr.make_engine("gluon", network.spec, network.params)
    if name != "int8":
        return quantized.Compared(exact, gr.make_engine(name, network.spec, network.params))
    examples = evaluation.open_examples(network, calibrate, "all" if calibrate else "training")
    found = quantized.calibrate(network.spec, network.params, calibration.example_batches(examples))
    calibration.say_if_slow()
    return quantized.Compared(exact, quantized.Int8Engine(network.spec, network.params, found))


def _judged(
    run: str,
    data: Optional[str] = None,
    part: Optional[str] = None,
    best: bool = False,
    cams: Sequence[str] = (),
    engine: str = "gluon",
    calibrate: Optional[str] = None,
    views: int = 1,
) -> Tuple[Any, Any, Any]:
    """(network, examples, Evaluation) of the run folder ``run``; unknown names in ``cams`` are refused first."""
    devices.use_numpy_arrays()
    network = gr.network_of_run(run, best)
    examples = evaluation.open_examples(network, data, part)
    for note in examples.notes:
        click.echo(text.one_line(note), err=True)
    for name in cams:
        examples.find(name)
    made = _make_engine(engine, network, calibrate)
    with tqdm(total=len(examples), desc="evaluating", unit=" images", leave=False, disable=None) as bar:
        results = evaluation.evaluate_run(network, examples, made, bar.update, views)
    if engine in SHORT:
        click.echo(f"engine {engine}: {made.agreement}", err=True)
    if "test" in examples.parts:  # of a run with a hold-out; others are tested on it after each epoch
        click.echo(_look(network.path, evaluation.accuracy_on(results, "test")), err=True)
    return network, examples, results


def _look(path: Any, test_acc: float) -> str:
    """A line on a look at the test part, which is noted in the run folder ``path`` if it can be written."""
    try:
        return looks.note(path, test_acc)
    except gr.errors.RunError as error:
        return f"the test part: this look was not noted: {error}"


def _without(found: Any, results: Any) -> Any:
    """The table of clean_accuracy of an audit for an Evaluation, by its test part."""
    predictions = results.predictions  # a run with a hold-out calls the test part "test", another one "validation"
    return cleaning.clean_accuracy(predictions.loc[predictions["part"].isin(("test", "validation")), "right"], found)


@click.command()
@click.argument("run", metavar="RUN", shell_complete=completion.runs)
@click.option(
    "--data",
    metavar="DIR|CSV|FILE.rec",
    help="Other images; their classes are matched by name.  [default: the run's]",
)
@click.option(
    "--part",
    type=click.Choice(["validation", "training", "all", "hold-out"]),
    help="hold-out: what --hold-out took of Fashion-MNIST's training part.  [default: validation, which is "
    "Fashion-MNIST's test part; all of other images]",
)
@click.option("--best", is_flag=True, help="Use the parameters of the best epoch (keep_best).")
@click.option(
    "--engine", type=click.Choice(ENGINES + SHORT), default="gluon", show_default=True, help="What runs the network."
)
@click.option(
    "--calibrate",
    metavar="DIR|CSV|FILE.rec",
    help="Images from which the engine int8 learns the ranges of its layers.  [default: the run's training part]",
)
@click.option(
    "--views",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="2: the mean of the logits of an image and its mirror image.",
)
@click.option(
    "--clean",
    metavar="AUDIT",
    help="Also show the accuracy on the test part without what gluon-resnet audit found: the folder of an audit.",
)
@FORMAT
@click.option("--save", metavar="DIR", help="Also write tables and images to a new folder.")
@click.option(
    "--cam",
    "cams",
    multiple=True,
    metavar="NAME",
    help="Draw where the network looked (Grad-CAM), with --save; can be repeated.",
)
@click.option(
    "--cam-class", metavar="CLASS", help="Class of these maps.  [default: the predicted class and the true one]"
)
def evaluate(
    run: str,
    data: Optional[str],
    part: Optional[str],
    best: bool,
    engine: str,
    calibrate: Optional[str],
    views: int,
    clean: Optional[str],
    form: str,
    save: Optional[str],
    cams: Tuple[str, ...],
    cam_class: Optional[str],
) -> None:
    """Evaluate the network of the run folder RUN.

    Prints loss, accuracies, results by class, confusion and calibration, and where the network is most wrong.
    """
    env.compute_at_once()
    if (cams or cam_class) and not save:
        raise click.UsageError("--cam and --cam-class go with --save DIR, where the images are written")
    if cam_class and not cams:
        raise click.UsageError("--cam-class goes with --cam NAME")
    if clean and (part == "training" or form == "csv"):
        raise click.UsageError("--clean shows accuracies on the test part: leave out --part training and --format csv")
    if save:
        evaluation_files.check_target(save)
    found = cleaning.open_audit(clean, run, data)[0] if clean else None
    network, examples, results = _judged(run, data, part, best, cams, engine, calibrate, views)
    cleaned = _without(found, results) if found else None
    if form == "csv":
        click.echo(results.classes.to_csv(index=False, float_format="%.6g"), nl=False)
    elif form == "json":
        content = evaluation_files.as_dict(network, results, examples.where, examples.part)
        if cleaned is not None:
            content["clean"] = cleaned.astype(object).where(cleaned.notna(), None).to_dict("records")
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo(
            text.printable(
                f"{network.spec.name} of {run} on {examples.where} ({examples.part}): "
                f"{text.count(len(examples), 'picture')} of {text.count(len(network.class_names), 'class')}\n"
                f"{_report(results)}"
            )
        )
        if cleaned is not None:
            rows = cleaned.assign(accuracy=cleaned["accuracy"].map("{:.4f}".format))
            click.echo(f"\n{_table(rows, colalign=('left', 'right', 'right'))}")
    if save:
        files = evaluation_files.save(network, examples, results, save, examples.part, cams, cam_class)
        click.echo(f"written to {save}: {', '.join(files)}", err=form != "text")


@click.group(cls=Group)
def runs() -> None:
    """List, show, compare and report run folders."""


@runs.command("list")
@click.argument("folders", nargs=-1, metavar="DIR...")
@TABLE
def list_runs(folders: Tuple[str, ...], form: str) -> None:
    """All runs in folders of run folders (by default runs/), as a table; damaged ones are named."""
    selected, problems = run_table.read_runs(folders or ("runs",))
    for problem in problems:
        click.echo(f"damaged: {problem}", err=True)
    table = run_table.list_table(selected)
    if form == "csv":
        click.echo(table.to_csv(index=False, float_format="%.6g"), nl=False)
    else:
        shown, left_out = text.fitted(run_table.as_text(table), text.terminal_width(), run_table.DISPENSABLE)
        click.echo(shown)
        if left_out:
            click.echo(f"left out for want of room: {', '.join(left_out)}; --format csv has them", err=True)


@runs.command("show")
@click.argument("run", metavar="RUN", shell_complete=completion.runs)
@TABLE
def show(run: str, form: str) -> None:
    """One run: settings that are not the default, result, environment, and the command that repeats it."""
    table = run_table.show_table(run_table.read_run(run))
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
        return
    for section, rows in table.groupby("section", sort=False):
        click.echo(section)
        for name, value in zip(rows["name"], rows["value"]):
            click.echo(f"  {name:<31} {value}".rstrip())


@runs.command("compare")
@click.argument("folders", nargs=-1, required=True, metavar="RUN RUN...", shell_complete=completion.runs)
@click.option("--save", metavar="P.png", help="Also draw loss and test accuracy of all over epochs.")
@TABLE
def compare(folders: Tuple[str, ...], save: Optional[str], form: str) -> None:
    """Two or more runs side by side: the settings and machines that differ, and the results."""
    if len(folders) < 2:
        raise click.UsageError("two or more run folders are needed")
    if save:
        figures.check_picture_path(save)
    selected = [run_table.read_run(folder) for folder in folders]
    table = run_table.compare_table(selected)
    click.echo(table.to_csv(index=False) if form == "csv" else _table(table), nl=form != "csv")
    if save:
        figures.save_figure(plots.draw_runs(run_table.histories(selected)), save)
        click.echo(f"picture in {save}", err=form == "csv")


@runs.command("report")
@click.argument("run", metavar="RUN", shell_complete=completion.runs)
@click.option("--out", metavar="FILE.html", help="[default: report.html in the run folder]")
@click.option("--evaluation", metavar="DIR", help="A folder of evaluate --save.  [default: RUN/evaluation, if any]")
@click.option("--evaluate", "now", is_flag=True, help="Evaluate the run first, into RUN/evaluation.")
def report_run(run: str, out: Optional[str], evaluation: Optional[str], now: bool) -> None:
    """Write a run as a single HTML file.

    It shows settings, command, machine, result, curves, layers and epochs, and the evaluation, if any.
    """
    if now and evaluation:
        raise click.UsageError("--evaluate makes RUN/evaluation: leave out --evaluation, which names another")
    if now:  # errors are found before the evaluation, which takes minutes
        table.read_run(run)
        page.check_target(out or page.default_file(run))
        evaluation_module.check_new(run)
        network, examples, results = _judged(run)
        evaluation_files.save(network, examples, results, evaluation_module.default_folder(run), examples.part)
        click.echo(f"evaluation in {evaluation_module.default_folder(run)}")
    click.echo(f"report in {page.write(run, out, evaluation)}")
