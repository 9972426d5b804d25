"""Run an experiment: find its data, fit it to a budget, train, judge the claim and write the results."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, List, Mapping, Optional

from .. import files
from ..errors import ConfigError, RunError
from ..machine.other_programs import OtherPrograms
from ..text import count, duration
from . import budget as budgets
from . import clean, compare, depth_probes, picture, results, sweep, work
from .arms import name_of, with_hold_out, with_sources
from .experiment import Experiment
from .results import Content, now

Say = Callable[[str], Any]  # takes one line of progress at a time


@dataclass(frozen=True)
class Request:
    """The options of ``gluon-resnet run``."""

    seeds: Optional[int] = None  # the experiment's own number if None
    budget: Optional[str] = None  # a time such as "20m"
    out: Optional[str] = None  # folder of the run folders
    data: Optional[str] = None
    weights: Optional[str] = None  # file of weights, or its folder
    hold_out: Optional[int] = None  # training images to test on; 0 for the test part, None for what the file says
    compare: Optional[str] = None  # the arm that the others are compared with; "" for the first, None for no table
    clean: Optional[str] = None  # folder of an audit, for the accuracies on what it leaves of the test part
    save_results: bool = False  # also next to the experiment's file
    command: str = "gluon-resnet run"  # the whole command line, for the results file


@dataclass(frozen=True)
class Plan:
    """What is going to be run."""

    label: str  # name of the results
    folder: Path
    configs: Dict[str, Any]  # by arm
    units: List[sweep.Unit]
    budget: Optional[Dict[str, Any]] = None  # what a budget changed and predicted


def _refit(label: str, folder: Path, configs: Dict[str, Any], seeds: int) -> Optional[Plan]:
    """The Plan that an earlier call fitted to the same budget, or None."""
    path = folder / "budget.json"
    if not path.exists():
        return None
    try:
        note = json.loads(path.read_text())
        fitted = {arm: budgets.shortened(config, note["epochs"], note["limit"]) for arm, config in configs.items()}
        if seeds > note["seeds"]:
            raise ConfigError(
                f"{folder}: was fitted to the budget for {count(note['seeds'], 'seed')}, here {seeds}: name another "
                f"folder with --out"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise RunError(f"{path}: damaged ({error}): remove it, and the budget is fitted again") from None
    return Plan(label, folder, fitted, sweep.make_units(fitted, seeds, folder), note)


def make_plan(experiment: Experiment, configs: Dict[str, Any], request: Request, say: Say) -> Plan:
    """The :class:`Plan` of an experiment, fitted to the budget if one is asked for.

    Args:
        experiment: the experiment.
        configs: its configs, from :func:`with_sources`.
        request: the options.
        say: takes one line of progress at a time.

    Raises:
        ConfigError: the budget is too short, or not a time.
        RunError: a run folder or the note of an earlier fit cannot be used.
    """
    seeds, name = request.seeds or experiment.settings.seeds, name_of(experiment, request.hold_out)
    main = Path(request.out) if request.out else sweep.runs_folder(name)
    whole = Plan(name, main, configs, sweep.make_units(configs, seeds, main))
    if not request.budget:
        return whole
    seconds = budgets.parse(request.budget)
    label = f"{name}-{''.join(request.budget.lower().split())}"
    folder = Path(request.out) if request.out else sweep.runs_folder(label)
    plan = _refit(label, folder, configs, seeds)
    if plan and plan.budget:
        say(f"budget {request.budget}, fitted before: {plan.budget['line']}")
        return plan
    can_limit = experiment.settings.kind == "fashion-mnist"
    return _fitted(whole, replace(whole, label=label, folder=folder), request.budget, seconds, can_limit, say)


def _measured(whole: Plan, text: str, seconds: float, say: Say) -> Dict[str, budgets.Load]:
    """{arm: Load} of the runs that are left; empty if none is left."""
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


def _fitted(whole: Plan, smaller: Plan, text: str, seconds: float, can_limit: bool, say: Say) -> Plan:
    """``whole`` if its remaining runs fit into the budget; otherwise ``smaller`` with fewer epochs and images."""
    began, seeds = perf_counter(), len(whole.units) // len(whole.configs)
    with OtherPrograms() as others:
        loads = _measured(whole, text, seconds, say)
    spent = perf_counter() - began
    if sum(load.seconds() for load in loads.values()) > seconds - spent:  # of the shorter runs none is done yet
        loads = {arm: replace(load, runs=seeds) for arm, load in loads.items()}
    every = list(loads.values())
    try:
        epochs, limit, predicted = budgets.fit(every, seconds - spent, can_limit) if loads else (None, None, 0)
    except budgets.TooLong:
        least = duration(spent + budgets.least(every, can_limit))
        raise ConfigError(
            f"budget {text}: one epoch{' of one batch' if can_limit else ''} of every run takes about "
            f"{least} already: expected a longer time"
        ) from None
    configs = {arm: budgets.shortened(config, epochs, limit) for arm, config in whole.configs.items()}
    changed = {arm: budgets.changes(whole.configs[arm], config) for arm, config in configs.items()}
    line, runs = changed_line(changed), sum(load.runs for load in every)
    say(
        f"budget {text}: {line}; predicted {duration(predicted)} for {runs} run{'' if runs == 1 else 's'}, "
        f"after {duration(spent)} of timing{_with_others(others.cores)}"
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


def _with_others(cores: Optional[float]) -> str:
    """A remark on other programs that used ``cores`` cores while steps were timed; empty if they used hardly any."""
    if not cores or cores < 0.2:
        return ""
    return f"; other programs used {cores:.1f} cores at the same time, and the prediction assumes that they still will"


def changed_line(changed: Mapping[str, Mapping[str, Any]]) -> str:
    """What a budget changed, {arm: {field: [before, after]}}, in one line; changes of all arms are named once."""
    by_change: Dict[str, List[str]] = {}
    for arm, fields in changed.items():
        for name, (before, after) in fields.items():
            word = "all" if before is None else before
            by_change.setdefault(f"{name} {word} -> {after}", []).append(arm)
    parts = [text if len(arms) == len(changed) else f"{text} ({', '.join(arms)})" for text, arms in by_change.items()]
    return ", ".join(parts) or "nothing changed"


def conduct(
    experiment: Experiment,
    request: Request,
    say: Say = print,
    make_listener: Optional[Callable[[int], Any]] = None,
) -> Optional[Content]:
    """Run an experiment; runs that are done already are not trained again.

    The results are written to the folder of the runs, and with ``request.save_results`` also to results/ next to the
    experiment's file.

    Args:
        experiment: the experiment.
        request: the options.
        say: takes one line of progress at a time.
        make_listener: makes a listener of each training run from its number of epochs.

    Returns:
        The content of the results file, or None after Ctrl-C.

    Raises:
        GluonResNetError: the experiment cannot be run.
    """
    if request.save_results:
        results.folder_next_to(experiment)  # may refuse, before anything is trained
    if experiment.settings.kind == "cost":
        return _conduct_cost(experiment, request, say)
    base = compare.base_arm(experiment, request.compare, request.seeds or experiment.settings.seeds)
    sourced = with_sources(experiment, request.data, request.weights)
    configs = with_hold_out(experiment, sourced, request.hold_out)
    audit = clean.audit_for(experiment, configs, request.clean)
    plan = make_plan(experiment, configs, request, say)
    with sweep.alone_in(plan.folder):
        note = plan.folder / "budget.json"
        fitted = plan.budget is not None and plan.label != name_of(experiment, request.hold_out)
        if fitted and not note.exists():
            files.write_json(note, plan.budget)
        began, untouched = perf_counter(), not any(unit.path.exists() for unit in plan.units)
        work.measure_bounds([unit for unit in plan.units if sweep.state(unit) != sweep.DONE], plan.folder)
        with OtherPrograms() as others:
            if sweep.run(plan.units, say, make_listener):
                return None
        if plan.budget is not None and untouched:
            plan.budget.update(took_seconds=perf_counter() - began, others_cores=others.cores)
            if fitted:
                files.write_json(note, plan.budget)
        content, curves = results.collect(experiment, plan.units, plan.configs, plan.budget, request.command)
        if base is not None:
            content["comparison"] = compare.compare(content["arms"], base)
        if audit is not None:
            content["clean"] = clean.clean_accuracies(plan.units, *audit, say)
        tested = plan.units[0].config.tested
        figures = {plan.label: (curves, picture.draw(curves, _title(plan.label, content), tested))}
        if experiment.settings.depth_probe:
            figures[f"{plan.label}-depth"] = depth_probes.collect(plan.units, say)
        _write(experiment, plan.label, content, figures, plan.folder, request.save_results, say)
    return content


def _title(label: str, content: Content) -> str:
    return f"{label}: {content['claim']['statement']} ({content['verdict']})"


def _conduct_cost(experiment: Experiment, request: Request, say: Say) -> Content:
    """Measure the cost of the arms, which take turns in as many rounds as there are seeds."""
    from . import cost

    for option in ("budget", "data", "weights", "hold_out", "compare", "clean"):
        if getattr(request, option) is not None:
            name = option.replace("_", "-")
            raise ConfigError(f"--{name}: {experiment.name} measures networks and trains none; leave it out")
    folder = Path(request.out) if request.out else sweep.runs_folder(experiment.name)
    models = [config.model for config in experiment.configs.values()]
    shared = next(iter(experiment.configs.values()))  # all arms have the same settings
    with sweep.alone_in(folder):
        started = now()
        table = cost.measure(
            models,
            tuple(shared.shape),
            shared.batch_size,
            shared.steps,
            request.seeds or experiment.settings.seeds,
            say,
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


def _write(
    experiment: Experiment,
    label: str,
    content: Content,
    figures: Mapping[str, Any],
    folder: Path,
    save_results: bool,
    say: Say,
) -> None:
    """Write results to ``folder``, and with ``save_results`` to results/ next to the experiment's file."""
    for place in [folder] + ([results.folder_next_to(experiment)] if save_results else []):
        say(f"written to {place}: {', '.join(results.save(place, label, content, figures))}")
