"""Paired comparisons: Student's own data, quantiles of a printed table, seeds that diverged, the table, the options."""

import json

from gluon_resnet.errors import ConfigError
from gluon_resnet.lab import compare, table
from gluon_resnet.lab.experiment import load

import pytest

from tests.conftest import one_line_error
from tests.lab.test_experiment import CLAIM, CONFIG, content, seed, write

#: hours of sleep gained with either drug by ten patients: Student, The probable error of a mean, Biometrika 6 (1908)
DEXTRO = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
LAEVO = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def seeds(values, **others):
    return {str(k): seed(value, value, **others) for k, value in enumerate(values)}


def test_students_sleep_data_have_the_interval_that_r_prints_for_them():
    found = compare.compare({"dextro": seeds(DEXTRO), "laevo": seeds(LAEVO)}, "dextro")
    paired = found["arms"]["laevo"]["test_acc"]
    # R 4, t.test(extra ~ group, data = sleep, paired = TRUE): 95 percent confidence interval, with the sign turned
    assert paired["mean"] == pytest.approx(1.58)
    assert (paired["low"], paired["high"]) == (pytest.approx(0.7001142), pytest.approx(2.4598858))
    assert paired["counts"] and list(found["arms"]) == ["laevo"] and found["base"] == "dextro"
    # unpaired, the same means do not differ enough (R: -3.365483 to 0.205483): that is what pairing is for
    assert paired["differences"]["4"] == 0 and paired["differences"]["8"] == pytest.approx(4.6)


@pytest.mark.parametrize("n, quantile", [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (20, 2.093)])
def test_the_interval_is_that_of_a_printed_table_of_students_t(n, quantile):
    values = [1.0] * (n - 1) + [1.0 + n]  # mean 2; the sum of squares is (n - 1) + (n - 1)**2, so the variance is n
    found = compare.difference(values)
    assert found["mean"] == pytest.approx(2)
    assert found["high"] - found["mean"] == pytest.approx(quantile, rel=3e-4)  # sqrt(n) over sqrt(n) is 1
    assert found["mean"] - found["low"] == pytest.approx(quantile, rel=3e-4)
    assert found["counts"] == (quantile < 2) is False


def test_an_idea_counts_on_either_side_of_zero_and_not_on_both():
    assert compare.difference([0.010, 0.012, 0.011])["counts"]
    assert compare.difference([-0.010, -0.012, -0.011])["counts"]
    assert not compare.difference([0.010, -0.002, 0.001])["counts"]
    assert not compare.difference([0.0, 0.0])["counts"]


def test_a_seed_that_diverged_is_not_left_out_silently():
    arms = {"base": seeds([0.9, 0.91]), "idea": {**seeds([0.95]), "1": seed(None, None, status="diverged")}}
    found = compare.compare(arms, "base")["arms"]["idea"]
    assert found["test_acc"]["mean"] is None and not found["test_acc"]["counts"]
    assert found["train_seconds"]["differences"] == {"0": 0.0, "1": None}  # its time is that of a part
    (base, row) = table.compare_table(content(arms=arms, comparison=compare.compare(arms, "base"))).to_dict("records")
    assert (base["arm"], base["mean"], base["counts"]) == ("base", "0.9050", "")
    assert row["difference (points)"] == "diverged with seed 1" and row["counts"] == "no"


def with_comparison(**more):
    arms = {"base": seeds([0.900, 0.910, 0.905]), "idea": seeds([0.911, 0.922, 0.916], train_seconds=48.0)}
    return content(arms=arms, comparison=compare.compare(arms, "base"), **more)


def test_the_table_by_hand():
    made = with_comparison(tested_on="hold-out (5,000 training images)")
    # differences 1.1, 1.2, 1.1 points: mean 1.1333, deviation 0.057735, times 4.303 over sqrt(3): 0.1434
    assert table.compare_table(made).to_dict("records")[1] == {
        "arm": "idea",
        "n": 3,
        "mean": "0.9163",
        "difference (points)": "+1.13 (+0.99 to +1.28)",
        "counts": "better",
        "training (s)": "-2.0 (-2.0 to -2.0)",
    }
    line = table.compare_line(made)
    assert "each arm minus base" in line and "hold-out (5,000 training images)" in line and "95% confidence" in line


def test_mirror_images_at_the_test_are_an_idea_of_the_first_arms_own_runs():
    arms = {"base": seeds([0.900, 0.910]), "idea": seeds([0.911, 0.922])}
    for metrics, views_acc in zip(arms["base"].values(), (0.902, 0.916)):
        metrics["views_acc"] = views_acc
    row = table.compare_table(content(arms=arms, comparison=compare.compare(arms, "base"))).to_dict("records")[-1]
    # 0.2 and 0.6 points: mean 0.4, deviation 0.2828, times 12.706 over sqrt(2): 2.5412
    assert row["arm"] == "base, tested with mirror images" and row["mean"] == "0.9090"
    assert row["difference (points)"] == "+0.40 (-2.14 to +2.94)" and row["counts"] == "no"


def test_markdown_says_which_part_it_was_and_has_the_comparison(tmp_path, run_cli):
    check = {**content()["checks"][0], "arm": "idea"}
    held = with_comparison(name="held", tested_on="hold-out (5,000 training images)", checks=[check])
    (tmp_path / "held.json").write_text(json.dumps(held))
    shown = run_cli("results", "--folder", tmp_path).stdout
    assert "accuracies: on the hold-out (5,000 training images); the test part was not looked at" in shown
    assert "hold_out_acc of idea" in shown and "+1.13 (+0.99 to +1.28)" in shown and "test_acc" not in shown
    assert table.claim_lines(held)[-1] == (
        "verdict: pass (on the hold-out (5,000 training images), not on the test part)"
    )
    (tmp_path / "held.json").write_text(json.dumps({**held, "tested_on": "test (10,000 images)"}))
    shown = run_cli("results", "--folder", tmp_path).stdout
    assert "on the part test (10,000 images), looked at after each epoch" in shown and "test_acc of idea" in shown


def test_what_cannot_be_compared(tmp_path, run_cli):
    made = load(write(tmp_path, CONFIG + CLAIM))
    assert compare.base_arm(made, None, 1) is None
    assert compare.base_arm(made, "", 2) == "one" and compare.base_arm(made, "two", 2) == "two"
    with pytest.raises(ConfigError, match="--compare: no arm 'tow': did you mean two. mine has one, two"):
        compare.base_arm(made, "tow", 2)
    line = one_line_error(run_cli("run", made.path, "--seeds", 1, "--compare", cwd=tmp_path))
    assert "--compare: 1 seed has no spread: expected --seeds 2 or more" in line
    alone = load(write(tmp_path, CONFIG.replace(', "two": {"lr": 0.1}', "") + CLAIM))
    with pytest.raises(ConfigError, match="mine has one arm, one: expected two or more"):
        compare.base_arm(alone, "", 2)
    assert "--compare: depth_cost measures networks" in one_line_error(run_cli("run", "depth_cost", "--compare"))
    assert "--hold-out: bird_photos_scratch is of the kind pictures" in one_line_error(
        run_cli("run", "bird_photos_scratch", "--hold-out", 10, "--data", tmp_path)
    )
    other = CONFIG.replace('"lr": 0.1', '"hold_out": 50')
    with pytest.raises(ConfigError, match="arm two: hold_out is set: expected it in shared"):
        load(write(tmp_path, other + CLAIM))
    assert not (tmp_path / "runs").exists()
