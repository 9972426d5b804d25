"""An experiment from its file to its results: data found, budget fitted, runs made, claim judged, all of it written."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Optional

from .. import files
from ..benchmarks.processes import OtherPrograms
from ..errors import ConfigError, DataError, RunError
from ..text import duration
from . import budget as budgets
from . import depth_probes, picture, results, sweep
from .results import now


@dataclass(frozen=True)
class Request:
    """What the reader asked for in addition to the experiment: ``seeds`` None is the experiment's own number."""

    seeds: Optional[int] = None
    budget: Optional[str] = None
    out: Optional[str] = None
    data: Optional[str] = None
    weights: Optional[str] = None
    save_results: bool = False
    command: str = "gluon-resnet run"


@dataclass(frozen=True)
class Plan:
    """What is going to be run: ``label`` names the results, ``budget`` says what was changed, {} or None."""

    label: str
    folder: Path
    configs: dict
    units: list
    budget: Optional[dict] = None


def _sought(given, named, what, option):
    """A folder or file: the one given, the one named, or that name in GLUON_RESNET_REAL_DATA."""
    if given:
        if not Path(given).exists():
            raise DataError(f"{option} {given}: no such {what}")
        return str(given)
    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    places = [Path(named)] + ([Path(real) / named, Path(real) / "weights" / named] if real else [])
    for place in places:
        if place.exists():
            return str(place)
    raise DataError(
        f"no {named} in {', '.join(str(place.parent) for place in places)}: expected the {what} of this "
        f"experiment; name it with {option}, or the folder it is in in GLUON_RESNET_REAL_DATA"
    )


def with_sources(experiment, data=None, weights=None):
    """The experiment's {arm: config} with its data and weights found. Raises DataError naming what is missing."""
    configs = {}
    for arm, config in experiment.configs.items():
        if experiment.settings.kind == "pictures":
            config = replace(config, data=_sought(data, config.data, "folder of pictures", "--data"))
        elif data:
            config = replace(config, data=str(data))
        if config.weights:
            given = Path(weights, config.weights) if weights and Path(weights).is_dir() else weights
            config = replace(config, weights=_sought(given, config.weights, "file of weights", "--weights"))
        configs[arm] = config
    if weights and not any(config.weights for config in configs.values()):
        raise ConfigError(f"--weights {weights}: {experiment.name} starts from no weights; leave it out")
    return configs


def _refit(label, folder, configs, seeds):
    """The Plan that an earlier call fitted to the same budget, or None."""
    path = folder / "budget.json"
    if not path.exists():
        return None
    try:
        note = json.loads(path.read_text())
        fitted = {arm: budgets.shortened(config, note["epochs"], note["limit"]) for arm, config in configs.items()}
        if seeds > note["seeds"]:
            raise ConfigError(
                f"{folder}: fitted to the budget for {note['seeds']} seeds, here {seeds}: name another "
                f"folder with --out"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise RunError(f"{path}: damaged ({error}): remove it, and the budget is fitted again") from None
    return Plan(label, folder, fitted, sweep.make_units(fitted, seeds, folder), note)


def make_plan(experiment, configs, request, say):
    """The :class:`Plan` of an experiment: as it is, or fitted to the budget. Raises ConfigError and RunError."""
    seeds = request.seeds or experiment.settings.seeds
    main = Path(request.out) if request.out else sweep.runs_folder(experiment.name)
    whole = Plan(experiment.name, main, configs, sweep.make_units(configs, seeds, main))
    if not request.budget:
        return whole
    seconds = budgets.parse(request.budget)
    label = f"{experiment.name}-{''.join(request.budget.lower().split())}"
    folder = Path(request.out) if request.out else sweep.runs_folder(label)
    plan = _refit(label, folder, configs, seeds)
    if plan:
        say(f"budget {request.budget}, fitted before: {plan.budget['line']}")
        return plan
    can_limit = experiment.settings.kind == "fashion-mnist"
    return _fitted(whole, replace(whole, label=label, folder=folder), request.budget, seconds, can_limit, say)


def _measured(whole, text, seconds, say):
    """{arm: Load} of what is left to run; nothing is timed where nothing is left."""
    began = perf_counter()
    left = [unit.arm for unit in whole.units if sweep.state(unit) != sweep.DONE]
    loads = {}
    for arm, config in whole.configs.items() if left else ():
        say(f"budget {text}: timing {budgets.TIMED} steps of {arm}")
        try:
            rest = seconds - (perf_counter() - began)
            loads[arm] = budgets.measure(config, left.count(arm), rest, len(whole.configs))
        except budgets.TooLong:
            raise ConfigError(
                f"budget {text}: gone before the first run, after {perf_counter() - began:.0f} s of "
                f"setting up and timing {arm}: expected a longer one"
            ) from None
    return loads


def _fitted(whole, smaller, text, seconds, can_limit, say):
    """``whole`` where what is left of it fits into the budget, or else ``smaller`` with fewer epochs and data."""
    began, seeds = perf_counter(), len(whole.units) // len(whole.configs)
    with OtherPrograms() as others:
        loads = _measured(whole, text, seconds, say)
    spent = perf_counter() - began
    if sum(load.seconds() for load in loads.values()) > seconds - spent:  # shorter runs are others: none is done yet
        loads = {arm: replace(load, runs=seeds) for arm, load in loads.items()}
    every = list(loads.values())
    try:
        epochs, limit, predicted = budgets.fit(every, seconds - spent, can_limit) if loads else (None, None, 0)
    except budgets.TooLong:
        least = duration(spent + budgets.least(every, can_limit))
        raise ConfigError(
            f"budget {text}: one epoch{' of one batch' if can_limit else ''} of every run takes about "
            f"{least} already: expected more than that"
        ) from None
    configs = {arm: budgets.shortened(config, epochs, limit) for arm, config in whole.configs.items()}
    changed = {arm: budgets.changes(whole.configs[arm], config) for arm, config in configs.items()}
    line, runs = changed_line(changed), sum(load.runs for load in every)
    say(
        f"budget {text}: {line}; predicted {duration(predicted)} for {runs} run{'' if runs == 1 else 's'}, "
        f"after {duration(spent)} of timing{_beside(others.cores)}"
    )
    note = {
        "text": text,
        "seconds": seconds,
        "seeds": seeds,
        "epochs": epochs,
        "limit": limit,
        "changed": changed,
        "line": line,
        "predicted_seconds": predicted,
        "timing_seconds": spent,
        "runs": runs,
        "others_cores_timing": others.cores,
        "cost": {arm: vars(load.cost) for arm, load in loads.items()},
    }
    if not any(changed.values()):
        return replace(whole, budget=note)
    return replace(smaller, configs=configs, units=sweep.make_units(configs, seeds, smaller.folder), budget=note)


def _beside(cores):
    """What to say of other programs that used so many cores, or None, while steps were timed."""
    if not cores or cores < 0.2:
        return ""
    return f"; other programs used {cores:.1f} cores meanwhile, and it holds while they do"


def changed_line(changed):
    """What a budget changed, {arm: {field: [before, after]}}, in a line: what all arms share is said once."""
    by_change = {}
    for arm, fields in changed.items():
        for name, (before, after) in fields.items():
            word = "all" if before is None else before
            by_change.setdefault(f"{name} {word} -> {after}", []).append(arm)
    parts = [text if len(arms) == len(changed) else f"{text} ({', '.join(arms)})" for text, arms in by_change.items()]
    return ", ".join(parts) or "nothing changed"


def conduct(experiment, request, say=print, make_listener=None):
    """Run an experiment; its results as :func:`results.read` gives them, or None after Ctrl-C.

    What is done already is not done again. Results are written to the folder of the runs, and with ``save_results`` to
    results/ next to the experiment's file. Raises GluonResNetError if it cannot be run.
    """
    if experiment.settings.kind == "cost":
        return _conduct_cost(experiment, request, say)
    plan = make_plan(experiment, with_sources(experiment, request.data, request.weights), request, say)
    with sweep.alone_in(plan.folder):
        note = plan.folder / "budget.json"
        fitted = plan.budget is not None and plan.label != experiment.name
        if fitted and not note.exists():
            files.write_json(note, plan.budget)
        began, untouched = perf_counter(), not any(unit.path.exists() for unit in plan.units)
        with OtherPrograms() as others:
            if sweep.run(plan.units, say, make_listener):
                return None
        if plan.budget is not None and untouched:
            plan.budget.update(took_seconds=perf_counter() - began, others_cores=others.cores)
            if fitted:
                files.write_json(note, plan.budget)
        content, curves = results.collect(experiment, plan.units, plan.configs, plan.budget, request.command)
        figures = {plan.label: (curves, picture.draw(curves, _title(plan.label, content)))}
        if experiment.settings.depth_probe:
            figures[f"{plan.label}-depth"] = depth_probes.collect(plan.units, say)
        _write(experiment, plan.label, content, figures, plan.folder, request.save_results, say)
    return content


def _title(label, content):
    return f"{label}: {content['claim']['statement']} ({content['verdict']})"


def _conduct_cost(experiment, request, say):
    """Measure what the arms cost; ``seeds`` are rounds in which they take turns."""
    from . import cost

    for option, value in (("--budget", request.budget), ("--data", request.data), ("--weights", request.weights)):
        if value:
            raise ConfigError(f"{option}: {experiment.name} measures networks and trains none; leave it out")
    folder = Path(request.out) if request.out else sweep.runs_folder(experiment.name)
    models = [config.model for config in experiment.configs.values()]
    one = next(iter(experiment.configs.values()))
    with sweep.alone_in(folder):
        started = now()
        table = cost.measure(
            models, tuple(one.shape), one.batch_size, one.steps, request.seeds or experiment.settings.seeds, say
        )
        rows = json.loads(table.to_json(orient="records"))
        arms = {arm: {"0": row} for arm, row in zip(experiment.configs, rows)}
        content = results.summarize(experiment, arms, None, request.command, *results.here(), started)
        _write(
            experiment,
            experiment.name,
            content,
            {experiment.name: (table, cost.draw(table))},
            folder,
            request.save_results,
            say,
        )
    return content


def _write(experiment, label, content, figures, folder, save_results, say):
    """Write results to ``folder``, and to results/ next to the experiment's file where they are to be kept."""
    for place in [folder] + ([experiment.path.parent / "results"] if save_results else []):
        say(f"written to {place}: {', '.join(results.save(place, label, content, figures))}")
