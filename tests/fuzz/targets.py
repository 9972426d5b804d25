"""The parsers of outside bytes: a target for each, called with the name of a file in the current folder."""

import json
from pathlib import Path
from typing import Callable, NamedTuple

import gluon_resnet as gr
from gluon_resnet.data import (
    csv_listing,
    fashion_mnist,
    images,
    labels,
    reading,
    record_checks,
    record_info,
    record_unpack,
    records,
    scan,
)
from gluon_resnet.data.image_folder import FolderSource
from gluon_resnet.evaluation import predict
from gluon_resnet.lab import results, transcript
from gluon_resnet.networks import models
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.runs import config, kinds
from gluon_resnet.training import checkpoint, checkpoint_files
from gluon_resnet.weights import identify_weights
from gluon_resnet.weights.files import read

import numpy


class Target(NamedTuple):
    """``parse`` is called with the name of the file, and names of others if need be; ``file`` is the usual name."""

    parse: Callable
    file: str


def _idx(name):
    fashion_mnist.parse_idx(Path(name).read_bytes(), name)


def _image(name):
    """As predict and a batch of a folder see it: exactly, and decoded smaller."""
    preparation = images.PREPARATIONS["torchvision"]
    predict.look([name], preparation)
    predict.look([name], images.replace(preparation, reading="fast"))
    reading.read_least(name, (32, 32))


def _scan(*names):
    """A folder of pictures, looked over by as many threads as a scan has."""
    source = FolderSource(Path("."), list(names), numpy.zeros(len(names), int), ["only"])
    report = scan.scan(source)
    report.lines(None), report.summary(), json.dumps(report.as_dict())


def _records(name):
    """Everything that the commands of records do with a file, and what a training reads."""
    problems = []
    for work in (_read_records, record_info_lines, record_unpack_all, verified):
        try:
            work(name)
        except gr.errors.GluonResNetError as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _read_records(name):
    source = records.RecordSource(name)
    for i in range(len(source)):
        source.read_least(i, (32, 32))


def record_info_lines(name):
    record_info.info_lines(record_info.info(name))


def record_unpack_all(name):
    record_unpack.unpack(name, "unpacked")


def verified(name):
    report = record_checks.verify([name])
    [finding.line() for finding in report.findings], json.dumps(report.as_dict())


def _weights(name):
    """Which network it is, and its parameters for a model of the user's choice."""
    read(name)
    identify_weights(name)


def _transcript(name):
    table = transcript.compare(transcript.read_text(name))
    transcript.as_text(table)


def _config(name):
    config.load(kinds.kind_named("fashion-mnist").config, {}, name)


def _settings(name):
    config.load(kinds.kind_named("fashion-mnist").config, {}, None, [Path(name).read_text("utf-8", "replace")])


def _model(name, classes):
    """A network by a name and a number of classes from outside, filled."""
    spec = parse_model(name, int(classes))
    gr.layer_shapes(models.build(spec), (1, 3 if spec.family == "cifar" else 1, 32, 32))


TARGETS = {
    "idx": Target(_idx, "images-idx3-ubyte"),
    "image": Target(_image, "picture.png"),
    "scan": Target(_scan, "picture.png"),
    "records": Target(_records, "birds.rec"),
    "index": Target(lambda name: _records("birds.rec"), "birds.idx"),
    "description": Target(lambda name: _records("birds.rec"), "birds.json"),
    "csv": Target(lambda name: csv_listing.list_csv(Path(name)), "birds.csv"),
    "safetensors": Target(_weights, "net.safetensors"),
    "torch": Target(_weights, "net.pth"),
    "keras": Target(_weights, "net.h5"),
    "params": Target(_weights, "net.params"),
    "npz": Target(_weights, "net.npz"),
    "checkpoint": Target(lambda name: checkpoint.read("."), checkpoint_files.OLD),
    "config": Target(_config, "run.toml"),
    "yaml": Target(_config, "run.yaml"),
    "settings": Target(_settings, "setting"),
    "labels": Target(lambda name: labels.read_labels(name, 10), "labels.txt"),
    "results": Target(results.read, "results.json"),
    "transcript": Target(_transcript, "chapter.txt"),
    "model": Target(_model, ""),
}
