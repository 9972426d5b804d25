"""Layouts of data sets that people download, each with the classes and parts that a person sees in it."""

from gluon_resnet.data.folder_parts import TRAINING_WORDS, VALIDATION_WORDS, candidates, choose_parts
from gluon_resnet.data.image_folder import open_folder
from gluon_resnet.errors import DataError

import pytest

from scripts.parity.keras_split import make_folder
from tests.data.test_image_folder import problems, save_picture


def names(*folders, number=2, classes=("cat", "dog")):
    """Names of ``number`` pictures for each class in each of ``folders``."""
    return [f"{folder}/{name}/{i}.jpg" for folder in folders for name in classes for i in range(number)]


def flat(*folders):
    return [f"{folder}/{i}.jpg" for folder in folders for i in range(2)]


#: layout -> (its files, names of the training pictures' folders, of the validation pictures'; None: it is not split)
LAYOUTS = {
    "Kaggle's brain MRI": (
        names("Training", "Testing"),
        ["Training/cat", "Training/dog"],
        ["Testing/cat", "Testing/dog"],
    ),
    "Kaggle's cats and dogs": (
        names("training_set", "test_set") + flat("single_prediction"),
        ["training_set/cat", "training_set/dog"],
        ["test_set/cat", "test_set/dog"],
    ),
    "Intel's scenes, each part twice": (
        names("seg_train/seg_train", "seg_test/seg_test") + flat("seg_pred/seg_pred"),
        ["seg_train/seg_train/cat", "seg_train/seg_train/dog"],
        ["seg_test/seg_test/cat", "seg_test/seg_test/dog"],
    ),
    "an archive of a Mac": (
        names("chest/train", "chest/val", "chest/test") + ["__MACOSX/chest/._train"],
        ["chest/train/cat", "chest/train/dog"],
        ["chest/val/cat", "chest/val/dog"],
    ),
    "words in capitals": (
        names("TrainImages", "TestImages"),
        ["TrainImages/cat", "TrainImages/dog"],
        ["TestImages/cat", "TestImages/dog"],
    ),
    "years": (names("train2017", "val2017"), ["train2017/cat", "train2017/dog"], ["val2017/cat", "val2017/dog"]),
    "parts in each class": (
        names("cat", "dog", classes=("train", "test")),
        ["cat/train", "dog/train"],
        ["cat/test", "dog/test"],
    ),
    "a flat test part": (names("train") + flat("test"), ["train/cat", "train/dog"], None),
    "a test part in a folder of its own": (names("train") + flat("test/test"), ["train/cat", "train/dog"], None),
    "only a training part": (names("train"), ["train/cat", "train/dog"], None),
    "a class that is called train": (flat("cat", "dog", "train"), ["cat", "dog", "train"], None),
    "classes and what a Mac leaves": (flat("cat", "dog", "__MACOSX/cat"), ["cat", "dog"], None),
    "folders deep in the classes": (
        names("cat", classes=("a", "b")) + flat("cat", "dog"),
        ["cat", "cat/a", "cat/b", "dog"],
        None,
    ),
}


def folders(source, part):
    return sorted(
        {
            name.rpartition("/")[0]
            for name, of in zip(source.names, source.parts or ["training"] * len(source))
            if of == part
        }
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_as_a_person_reads_it(tmp_path, layout):
    files, training, validation = LAYOUTS[layout]
    make_folder(tmp_path, files)
    source = open_folder(tmp_path)
    assert folders(source, "training") == training and (source.parts is None) == (validation is None)
    assert folders(source, "validation") == (validation or [])
    assert [name for name in source.class_names if name not in ("cat", "dog", "train")] == []
    seen = [next(part for part in name.split("/") if part in source.class_names) for name in source.names]
    if layout != "a class that is called train":
        seen = [next(part for part in name.split("/") if part in ("cat", "dog")) for name in source.names]
    assert seen == [source.class_names[label] for label in source.labels]


def test_what_was_taken_for_what_is_said(tmp_path):
    make_folder(tmp_path, names("Training", "Testing") + flat("extra"))
    source = open_folder(tmp_path)
    assert source.layout == "Training/ trains and Testing/ validates; not used: extra/"
    assert problems(source, "part not used") == ["extra/"]
    make_folder(tmp_path / "b", flat("cat", "dog", "__MACOSX"))
    source = open_folder(tmp_path / "b")
    assert source.layout is None and problems(source, "folder of another program") == ["__MACOSX/"]


#: layout that can be read in two ways -> (its files, words of the refusal)
UNCLEAR = {
    "folds": (names("fold_0", "fold_1", "fold_2"), r"fold_0/ and fold_1/ hold the same folders \(cat/, dog/\)"),
    "a copy of everything inside": (
        flat("cat", "dog") + names("pets"),
        "pets/ holds folders named like those next to it",
    ),
    "pictures and masks": (flat("images", "masks"), "images/, masks/ are named like pictures and what belongs to them"),
    "CycleGAN's flat parts": (
        flat("trainA", "trainB", "testA"),
        "no class: trainA/, trainB/, testA/ are named like parts",
    ),
    "two training parts": (names("train_1", "train_2", "test"), "train_1/, train_2/ are named like the same part"),
    "a part next to classes": (
        names("train") + flat("cow"),
        "train/ holds folders .cat/, dog/. as a part does, and cow/",
    ),
}


@pytest.mark.parametrize("layout", UNCLEAR)
def test_what_can_be_read_in_two_ways_is_refused_and_parts_decides(tmp_path, layout):
    files, words = UNCLEAR[layout]
    make_folder(tmp_path, files)
    with pytest.raises(DataError, match=f"{words}.*--parts A,B .*--parts A .*--parts classes") as refused:
        open_folder(tmp_path)
    assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)
    source = open_folder(tmp_path, parts="classes")
    assert source.class_names == sorted({name.split("/")[0] for name in files}) and len(source) == len(files)
    assert source.parts is None and source.layout is None


def test_parts_names_the_folders(tmp_path):
    make_folder(tmp_path, names("fold_0", "fold_1", "fold_2"))
    source = open_folder(tmp_path, parts="fold_2,fold_0/")
    assert folders(source, "training") == ["fold_2/cat", "fold_2/dog"]
    assert folders(source, "validation") == ["fold_0/cat", "fold_0/dog"]
    assert source.layout == "fold_2/ trains and fold_0/ validates; not used: fold_1/"
    source = open_folder(tmp_path, parts="fold_1")
    assert source.parts is None and folders(source, "training") == ["fold_1/cat", "fold_1/dog"]
    make_folder(tmp_path / "in", names("cat", "dog", classes=("old", "new")))
    source = open_folder(tmp_path / "in", parts="new,old")
    assert folders(source, "training") == ["cat/new", "dog/new"] and source.class_names == ["cat", "dog"]
    for parts, words in (
        ("fold_1,fold_9", "there is no folder fold_9 in it: did you mean fold_"),
        ("a,b,c", "expected TRAINING,VALIDATION"),
        ("fold_1,", "expected TRAINING,VALIDATION"),
    ):
        with pytest.raises(DataError, match=words):
            open_folder(tmp_path, parts=parts)


def test_names_of_parts():
    assert choose_parts(["x", "VAL", "Train"]) == ("Train", "VAL", ["x"])
    assert choose_parts(["train", "test", "val_2"]) == ("train", "val_2", ["test"])
    assert choose_parts(["train", "contest"]) is None and choose_parts(["strain", "val"]) is None
    assert choose_parts(["train_a", "train_b", "val"]) is None
    assert candidates(["train_extra", "Train"], TRAINING_WORDS) == ["Train"]
    assert candidates(["testset", "test images"], VALIDATION_WORDS) == ["testset", "test images"]


def test_the_command_line_says_what_it_took_and_takes_parts(tmp_path, run_cli, refusal):
    for seed, name in enumerate(names("fold_0", number=5) + names("fold_1")):
        save_picture(tmp_path / "folds" / name.replace(".jpg", ".png"), seed)
    assert "fold_0/ and fold_1/ hold the same folders" in refusal("data", "show", tmp_path / "folds")
    shown = run_cli("data", "show", tmp_path / "folds", "--parts", "fold_0,fold_1")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[1] == "fold_0/ trains and fold_1/ validates"
    packed = run_cli("records", "pack", tmp_path / "folds", tmp_path / "out", "--parts", "fold_0,fold_1")
    assert packed.returncode == 0 and "out_train.rec: 10 records" in packed.stdout, packed.stderr
    assert "fold_0/ trains and fold_1/ validates" in packed.stderr
    small = ("--model", "resnet8@narrow", "--image-size", 32, "--epochs", 1, "--lr", 0.01)
    words = (tmp_path / "folds", *small, "--parts", "fold_0,fold_1", "--out", tmp_path / "run")
    trained = run_cli("train", "pictures", *words)
    assert trained.returncode == 0, trained.stderr
    assert "10 training and 4 validation pictures of 2 classes" in trained.stdout
    assert "fold_0/ trains and fold_1/ validates" in trained.stdout
    assert (tmp_path / "run" / "labels.txt").read_text() == "cat\ndog\n"


def test_training_needs_pictures_of_two_classes(tmp_path, refusal):
    for i in range(6):
        save_picture(tmp_path / "birds" / "cat" / f"{i}.png", i)
    make_folder(tmp_path / "birds", flat("dog"))  # empty files: none can be used
    half = ("--set", "validation_split=0.5")
    line = refusal("train", "pictures", tmp_path / "birds", *half, "--out", tmp_path / "run")
    assert "one class (cat) has training pictures, of 2 that are named" in line and not (tmp_path / "run").exists()
