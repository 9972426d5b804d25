"""Doubted labels against cleanlab's own results, and against counting by hand."""

import json

from gluon_resnet.audit import confident

import numpy
import pytest

from tests.conftest import ROOT

#: made with cleanlab 2.9.0 from the probabilities of made()
GOLDEN = json.loads((ROOT / "tests" / "golden" / "confident_learning.json").read_text())


def made(seed, images, classes, wrong):
    """Labels (N,), a share of which is drawn again, and probabilities (N, num_classes) around the true ones."""
    random = numpy.random.RandomState(seed)
    true = random.randint(0, classes, images)
    logits = random.randn(images, classes)
    logits[numpy.arange(images), true] += 2.0
    probabilities = numpy.exp(logits)
    probabilities /= probabilities.sum(1, keepdims=True)
    labels = true.copy()
    changed = random.rand(images) < wrong
    labels[changed] = random.randint(0, classes, changed.sum())
    return labels, probabilities


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['images']} of {case['classes']}")
def test_the_joint_and_the_doubted_images_are_cleanlabs(case):
    y, probabilities = made(case["seed"], case["images"], case["classes"], case["wrong"])
    assert confident.confident_joint(y, probabilities).tolist() == case["joint"]
    table = confident.doubts(y, probabilities)
    assert list(table["index"]) == case["issues"] and len(table) > 5


def test_two_classes_by_hand():
    probabilities = numpy.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.6, 0.4]])
    y = [0, 0, 0, 1, 1, 1]
    # of class 0: (0.9 + 0.7 + 0.2) / 3 = 0.6; of class 1: (0.9 + 0.7 + 0.4) / 3 = 2/3
    assert confident.thresholds(y, probabilities) == pytest.approx([0.6, 2 / 3])
    assert list(confident.confident_classes(y, probabilities)) == [0, 0, 1, 1, 1, 0]
    assert confident.confident_joint(y, probabilities).tolist() == [[2, 1], [1, 2]]
    table = confident.doubts(y, probabilities)
    assert table.values.tolist() == [[2, 0, 1, 0.8, 0.2], [5, 1, 0, 0.6, 0.4]]


def test_a_class_without_labels_is_never_counted_and_one_label_alone_is_not_doubted():
    probabilities = numpy.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.1, 0.2, 0.7]])
    y = [1, 0, 1]
    assert confident.thresholds(y, probabilities)[2] == numpy.inf
    # the third image is surest of a class that nothing is labelled as: it reaches no threshold
    assert list(confident.confident_classes(y, probabilities)) == [1, 0, -1]
    assert confident.doubts(y, probabilities).empty
