"""Printed lines next to ours: what is the same, what differs, and what is not judged."""

from gluon_resnet.play.verdicts import compare, counts

import pytest

WALK = "conv5 output shape:\t (1, 64, 112, 112)\nsequential1 output shape:\t (1, 64, 56, 56)\n"
LINES = "loss 0.010, train acc 0.998, test acc 0.907\n4886.6 examples/sec on gpu(0)\n"


def same(rows):
    return [row.same for row in rows]


def test_a_walk_is_compared_by_kind_and_shape():
    ours = WALK.replace("conv5", "conv0").replace("(1, 64, 56, 56)", "(1, 64, 55, 55)")
    rows = compare(WALK, ours, "")
    assert same(rows) == [True, False] and rows[1].note == "the shape differs"
    assert same(compare(WALK, WALK.splitlines()[0], "")) == [True, False]


@pytest.mark.parametrize("ours, expected", [("0.907", True), ("0.865", True), ("0.864", False), ("0.926", False)])
def test_accuracies_are_judged_by_the_published_band(ours, expected):
    rows = compare(LINES, LINES.replace("0.907", ours).replace("gpu", "cpu"), "load(batch_size, resize = 96)")
    assert same(rows) == [True, True, expected, None]
    assert rows[2].note.endswith("the band 0.865 to 0.925 of six editions")
    assert rows[3].note == "ours / published: 1.0000"


def test_without_a_band_and_after_shortening_nothing_is_judged():
    assert same(compare(LINES, LINES, "load(batch_size)")) == [None] * 4
    rows = compare(LINES, LINES, "resize=96", shortened=True)
    assert same(rows) == [None] * 4 and rows[0].note == "shortened, so not judged"


def test_epochs_of_the_first_edition():
    epochs = "training on gpu(0)\n" + "".join(
        f"epoch {n}, loss 0.5, train acc 0.8, test acc 0.85, time 1.0 sec\n" for n in (1, 2)
    )
    rows = compare(epochs, epochs.splitlines()[1], "", shortened=True)
    assert [(row.what, row.ours) for row in rows if row.what.startswith("loss")] == [
        ("loss, epoch 1", "0.5"),
        ("loss, epoch 2", ""),
    ]
    assert set(same(rows)) == {None}


@pytest.mark.parametrize(
    "printed, ours, expected, note",
    [
        ("(4, 3, 6, 6)", "(4, 3, 6, 6)", True, ""),
        ("array([1., 2.])", "array([1.,\n       2.])", True, ""),
        ("array([0.1, -0.2])", "array([0.33, 0.4])", None, "only numbers differ"),
        ("<NDArray 2 @gpu(0)>", "<NDArray 2 @cpu(0)>", None, "only numbers differ"),
        ("True", "False", False, "differs"),
    ],
)
def test_other_values(printed, ours, expected, note):
    if printed.startswith("array([1"):
        printed, ours = printed.replace(",", ", "), ours.replace(",", ", ")
    (row,) = compare(printed, ours, "")
    assert (row.same, row.note) == (expected, note)


def test_of_the_text_around_only_a_value_at_its_beginning_counts():
    assert compare("Now we go on. (1, 2)", "(3, 4)", "", in_text=True) == []
    (row,) = compare("(1, 2)\n\nNow we go on.", "(1, 2)", "", in_text=True)
    assert row.same is True and compare("", "(1, 2)", "") == []


def test_counts():
    rows = compare(WALK, WALK.splitlines()[0], "") + compare(LINES, LINES, "")
    assert counts(rows) == "6 printed values: 1 same, 1 differ, 4 not judged"
