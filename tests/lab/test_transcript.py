"""Lines that books print, written here in the ways of several editions, beside what the suite gives."""

import json

from gluon_resnet import cli
from gluon_resnet.errors import DataError, ModelError, RunError, ShapeError
from gluon_resnet.lab import transcript
from gluon_resnet.lab.transcript_compare import kind_of

import pandas as pd
import pytest

from tests.conftest import one_line_error

#: ResNet-18 of He et al.'s Table 1, as MXNet's editions print it: (layer, channels, divisor of the input).
ROWS = (
    ("conv", 64, 2),
    ("batchnorm", 64, 2),
    ("relu", 64, 2),
    ("pool", 64, 4),
    ("sequential", 64, 4),
    ("sequential", 128, 8),
    ("sequential", 256, 16),
    ("sequential", 512, 32),
)


def walk(size=64, number=5, form="{} output shape:\t {}", batch=1):
    """The ten lines of the chapter's walk."""
    rows = [
        (f"{name}{number + i}", (batch, channels, size // by, size // by))
        for i, (name, channels, by) in enumerate(ROWS)
    ]
    rows += [("pool1", (batch, 512, 1, 1)), ("dense0", (batch, 10))]
    return [form.format(*row) for row in rows]


def run_folder(folder, test_acc=0.9, history=((1, 0.7),), **settings):
    """A finished run of resnet18 on Fashion-MNIST as launch.py leaves one."""
    from dataclasses import asdict

    from gluon_resnet.networks.specs import parse_model
    from gluon_resnet.runs.fashion_mnist import FashionMnistConfig
    from gluon_resnet.training.history import COLUMNS

    folder.mkdir()
    config = FashionMnistConfig(**settings)
    write = {
        "config.json": {
            "version": 1,
            "config": asdict(config),
            "network": asdict(parse_model(config.model)),
            "command": "c",
            "title": "t",
        },
        "env.json": {"started": "2026-11-22T00:00:00+00:00"},
        "result.json": {
            "status": "finished",
            "loss": 0.0129,
            "train_acc": 0.9971,
            "test_acc": test_acc,
            "examples_per_sec": 97.73,
            "examples_per_sec_end_to_end": 95.0,
            "device": "cpu(0)",
        },
    }
    for name, content in write.items():
        (folder / name).write_text(json.dumps(content))
    rows = [{**dict.fromkeys(COLUMNS, 1.0), "epoch": epoch, "batch": 1, "test_acc": acc} for epoch, acc in history]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "history.csv", index=False)
    return folder


def test_the_chapters_walk_is_ours_whatever_the_numbers_of_the_layers():
    table = transcript.compare("\n".join(["intro", *walk()]))
    assert list(table.columns) == ["line", "kind", "published", "ours", "same", "note"]
    assert list(table["line"]) == list(range(2, 12)) and set(table["kind"]) == {"shape"}
    assert all(same is True for same in table["same"]) and set(table["note"]) == {""}
    assert table["published"][0] == "conv5 (1, 64, 32, 32)" and table["ours"][0] == "conv0 (1, 64, 32, 32)"
    assert table["ours"].iloc[-1] == "dense0 (1, 10)"


def test_one_wrong_size_is_the_one_difference():
    lines = walk()
    lines[5] = lines[5].replace("8, 8", "7, 8")
    table = transcript.compare("\n".join(lines))
    assert [i for i, same in enumerate(table["same"]) if not same] == [5]
    assert table["note"][5] == "the shape differs" and "(1, 128, 8, 8)" in table["ours"][5]


def test_another_kind_of_layer_is_a_difference_even_with_the_right_shape():
    lines = walk()
    lines[2] = lines[2].replace("relu", "conv")
    table = transcript.compare("\n".join(lines))
    assert [i for i, same in enumerate(table["same"]) if not same] == [2]
    assert table["note"][2] == "the layer differs: convolution there, activation here"


def test_a_line_that_fits_nothing_stands_beside_the_layer_in_its_place():
    lines = walk()
    lines[2] = "lambda3 output shape: (1, 7, 7, 7)"
    table = transcript.compare("\n".join(lines))
    assert [i for i, same in enumerate(table["same"]) if not same] == [2]
    assert table["ours"][2] == "relu0 (1, 64, 32, 32)" and table["note"][2].startswith("the shape differs; the layer")
    lines.insert(2, "lambda4 output shape: (1, 7, 7, 7)")
    table = transcript.compare("\n".join(lines))
    assert list(table["ours"][2:4]) == ["", ""] and table["note"][3] == "no such layer in resnet18@d2l"


def test_a_layer_that_the_book_leaves_out_is_named():
    lines = walk()
    del lines[2]
    table = transcript.compare("\n".join(lines))
    assert all(table["same"]) and table["ours"][2].startswith("pool0")
    assert table["note"][2] == "not printed there: relu0"


def test_pytorchs_sequentials_stand_for_several_of_our_layers():
    sizes = ((64, 24, 24), (64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3), (10,))
    text = "\n".join(f"Sequential output shape:\t torch.Size([1, {', '.join(map(str, size))}])" for size in sizes)
    table = transcript.compare(text)
    assert all(table["same"])
    assert table["ours"][0] == "conv0 to pool0 (1, 64, 24, 24)" and table["ours"][5] == "pool1 to dense0 (1, 10)"


def test_channels_last_is_compared_channels_last():
    names = ("Conv2D", "BatchNormalization", "Activation", "MaxPooling2D") + ("ResnetBlock",) * 4
    lines = [
        f"{name} output shape:\t (1, {32 // by}, {32 // by}, {channels})"
        for name, (_, channels, by) in zip(names, ROWS)
    ]
    lines += ["GlobalAveragePooling2D output shape:\t (1, 512)", "Dense output shape:\t (1, 10)"]
    table = transcript.compare("\n".join(lines))
    assert list(table["same"]) == [True] * 8 + [False, True]
    assert table["ours"][0] == "conv0 (1, 16, 16, 64)" and table["note"][8] == "axes of size 1 apart, the same"
    assert transcript.compare(lines[0].replace("(1,", "(None,"))["ours"][0] == "conv0 (None, 16, 16, 64)"


def test_lines_run_together_between_chinese_characters_and_in_a_notebooks_file():
    trained = "loss 0.010,train acc 0.998,test acc 0.9074886.6 examples/sec on gpu(0)"
    together = f"测试一下输出{''.join(walk())}训练一下{trained}最后的话"
    table = transcript.compare(together)
    assert list(table["kind"]) == ["shape"] * 10 + ["loss", "train acc", "test acc", "examples/sec"]
    assert all(table["same"][:10]) and set(table["line"]) == {1}
    assert list(table["published"][10:]) == ["0.010", "0.998", "0.907", "4886.6 gpu(0)"]
    notebook = json.dumps({"text": "\n".join(walk())})
    assert "\\t (1" in notebook and all(transcript.compare(notebook)["same"])
    assert list(transcript.compare(notebook)["published"]) == list(table["published"][:10])


def test_walks_of_two_inputs_in_one_text_are_told_apart():
    table = transcript.compare("\n".join(walk(64) + walk(96, number=0) + walk(32, batch=8)))
    assert len(table) == 30 and all(table["same"])
    begun = walk(32)[:4] + walk(64, batch=8)[:4]
    assert [list(map(len, transcript.walks(transcript.find("\n".join(begun)))))] == [[4, 4]]
    assert all(transcript.compare("\n".join(begun))["same"])


def test_the_model_and_the_input_can_be_given():
    deep = "\n".join(walk(64)).replace("(1, 64, 16, 16)\nsequential10", "(1, 256, 16, 16)\nsequential10")
    assert not all(transcript.compare(deep)["same"])
    lines = [
        f"sequential{i} output shape: (1, {channels}, {size}, {size})"
        for i, (channels, size) in enumerate(((256, 16), (512, 8), (1024, 4), (2048, 2)))
    ]
    assert all(transcript.compare("\n".join(lines), model="resnet50")["same"])
    assert not any(transcript.compare("\n".join(lines))["same"])
    table = transcript.compare("\n".join(walk(64)), shape=(1, 1, 128, 128))
    assert list(table["same"]) == [False] * 8 + [True] * 2 and table["ours"][0] == "conv0 (1, 64, 64, 64)"
    with pytest.raises(ModelError):
        transcript.compare(lines[0], model="resnet19")
    with pytest.raises(ShapeError, match="cannot take"):
        transcript.compare(lines[0], model="resnet18@keras2016", shape=(1, 3, 1, 1))


@pytest.mark.parametrize(
    "code, shape, same",
    [
        (
            "blk = Residual(3)\nblk.initialize()\nX = np.random.uniform(size=(4, 3, 6, 6))\nblk(X).shape",
            "(4, 3, 6, 6)",
            True,
        ),
        (
            "X = np.random.uniform(size=(4, 3, 6, 6))\nblk = Residual(6, use_1x1conv=True, strides=2)\nblk(X).shape",
            "(4, 6, 3, 3)",
            True,
        ),
        (
            "blk = Residual(3, 6, use_1x1conv=True, strides=2)\nX = torch.rand(4, 3, 6, 6)\nblk(X).shape",
            "torch.Size([4, 6, 3, 3])",
            True,
        ),
        (
            "blk = Residual(6, use_1x1conv=True, strides=2)\nX = tf.random.uniform((4, 6, 6, 3))\nblk(X).shape",
            "TensorShape([4, 3, 3, 6])",
            True,
        ),
        (
            "X = np.random.uniform(size=(4, 3, 6, 6))\nblk = Residual(6, use_1x1conv=True, strides=2)\nblk(X).shape",
            "(4, 6, 6, 6)",
            False,
        ),
    ],
)
def test_a_block_tried_alone(code, shape, same):
    table = transcript.compare(f"class Residual(nn.Block):\n    pass\n\n{code}\n{shape}\n")
    assert list(table["same"]) == [same] and table["published"][0].startswith("Residual(")


TRAINED = "loss 0.010, train acc 0.998, test acc 0.907\n4886.6 examples/sec on gpu(0)\n"


def test_without_a_run_the_row_says_how_to_give_one():
    table = transcript.compare(TRAINED)
    assert [same is None for same in table["same"]] == [True] * 4
    assert set(table["note"]) == {"no run given: gluon-resnet transcript FILE --run RUN"}


def test_a_run_inside_the_band_and_one_outside(tmp_path):
    inside = transcript.compare(TRAINED, run=run_folder(tmp_path / "in", 0.8651))
    assert list(inside["same"]) == [True, True, True, None]
    assert list(inside["ours"]) == ["0.013", "0.997", "0.865", "97.7 on cpu(0)"]
    assert inside["note"][2] == "inside the band 0.865 to 0.925 of six editions"
    assert inside["note"][3] == f"ours / published: {97.73 / 4886.6:.4f}"
    outside = transcript.compare(TRAINED, run=run_folder(tmp_path / "out", 0.93, epochs=3))
    assert outside["same"][2] is False
    assert outside["note"][2] == "outside the band 0.865 to 0.925 of six editions; not article 001's recipe: epochs=3"


def test_older_printouts_and_our_own_third_line(tmp_path):
    text = (
        "epoch 2, loss 0.4847, train acc 0.829, test acc 0.891, time 15.9 sec\n12,520.9 exampes/sec on gpu(0)\n"
        "5006.5 examples/sec on /GPU:0\n1019.4 examples/sec on [gpu(0), gpu(1)]\n90.0 examples/sec end to end\n"
        "epoch 7, loss 0.1, train acc 0.9, test acc 0.9"
    )
    table = transcript.compare(text, run=run_folder(tmp_path / "run", history=((1, 0.7), (2, 0.75))))
    rates = ["12,520.9 gpu(0)", "5006.5 /GPU:0", "1019.4 [gpu(0), gpu(1)]", "90.0 end to end"]
    assert list(table["published"][3:7]) == rates
    assert table["kind"][2] == "test acc, epoch 2" and table["ours"][2] == "0.750" and table["same"][2] is None
    assert table["note"][3] == f"ours / published: {97.73 / 12520.9:.4f}"
    assert table["note"][6] == f"ours / published: {95 / 90:.4f}"
    assert set(table["note"][7:]) == {"the run has no such value"}


def test_a_results_file_of_an_experiment_gives_means_over_its_seeds(tmp_path):
    from gluon_resnet.lab import results

    seed = {
        "loss": 0.01,
        "train_acc": 1.0,
        "examples_per_sec": 100.0,
        "examples_per_sec_end_to_end": 90.0,
        "device": "cpu(0)",
    }
    content = {
        **dict.fromkeys(results.FIELDS),
        "format": results.FORMAT,
        "config": {"only": {"model": "resnet18"}},
        "arms": {"only": {"0": {**seed, "test_acc": 0.92}, "1": {**seed, "test_acc": 0.94}}},
    }
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    table = transcript.compare(TRAINED, run=path)
    assert table["ours"][2] == "0.930" and table["same"][2] is False and table["note"][2].endswith("mean of 2 seeds")
    path.write_text(json.dumps({**content, "arms": {**content["arms"], "other": {}}}))
    with pytest.raises(RunError, match="2 arms: expected one, or a run folder"):
        transcript.compare(TRAINED, run=path)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("conv5", "convolution"),
        ("Conv2D", "convolution"),
        ("batchnorm4", "batch norm"),
        ("BatchNormalization", "batch norm"),
        ("MaxPooling2D", "pooling"),
        ("pool0", "pooling"),
        ("hybridsequential1", "block"),
        ("ResnetBlock", "block"),
        ("Linear", "dense"),
        ("dense0", "dense"),
        ("lstm3", "lstm"),
    ],
)
def test_kinds_of_layers_apart_from_their_numbers(name, kind):
    assert kind_of(name) == kind


def test_code_and_prose_are_no_printed_lines(tmp_path):
    text = "print(layer.name, 'output shape:\\t', X.shape)\nthe output shape: (as above)\nloss of 3 examples per second"
    assert transcript.find(text) == []
    with pytest.raises(DataError, match="no line that a book prints"):
        transcript.compare(text)


def test_the_command_in_three_formats(run_cli, tmp_path, capsys):
    path = tmp_path / "chapter.txt"
    path.write_text("\n".join(walk(32)) + "\n" + TRAINED, encoding="utf-8")
    text = run_cli("transcript", path).stdout
    assert text.count(" same") == 11 and "no run given" in text and "DIFFERS" not in text
    assert text.splitlines()[-1] == "14 values: 10 same, 0 differ, 4 not compared"
    cli.main(["transcript", str(path), "--format", "json"])
    rows = json.loads(capsys.readouterr().out)["lines"]
    assert rows[0] == {
        "line": 1,
        "kind": "shape",
        "published": "conv5 (1, 64, 16, 16)",
        "ours": "conv0 (1, 64, 16, 16)",
        "same": True,
        "note": "",
    }
    run = run_folder(tmp_path / "run")
    cli.main(["transcript", str(path), "--format", "csv", "--model", "resnet34", "--run", str(run)])
    csv = capsys.readouterr().out.splitlines()
    assert csv[0] == "line,kind,published,ours,same,note" and len(csv) == 15
    assert csv[13].startswith("11,test acc,0.907,0.900,True,")


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "No such file"),
        (b"\x89PNG\r\n\0\0", "not text"),
        (b"\xff\xfeabc", "not text"),
        (b"nothing to see", "no line that a book prints"),
    ],
)
def test_files_without_such_lines_are_refused_in_one_line(content, words, tmp_path, capsys):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as caught:
        cli.main(["transcript", str(path)])
    assert caught.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and words in said[0] and str(path) in said[0]


def test_a_folder_and_a_run_that_is_none(run_cli, tmp_path):
    with pytest.raises(DataError, match="Is a directory"):
        transcript.read_text(tmp_path)
    (tmp_path / "a.txt").write_text(TRAINED)
    assert "no such run folder" in one_line_error(run_cli("transcript", tmp_path / "a.txt", "--run", tmp_path / "none"))


def test_utf_16_and_gb_18030_are_read(tmp_path):
    for encoding in ("utf-16", "gb18030", "utf-8-sig"):
        (tmp_path / "page").write_text("训练 loss 0.010, train acc 0.998, test acc 0.907", encoding=encoding)
        assert len(transcript.find(transcript.read_text(tmp_path / "page"))) == 3
