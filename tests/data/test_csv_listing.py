"""CSV files as people write them, all of the same four pictures, and what a refusal says."""

from gluon_resnet.data.image_folder import open_folder, open_parts
from gluon_resnet.errors import DataError

import pytest

from tests.data.test_image_folder import problems, save_picture

#: file -> its class; every CSV below says this
PICTURES = {"a/1.png": "finch", "a/2.png": "owl", "b/3.png": "finch", "b/4.png": "owl"}

CSV = {
    "with names": "path,label\na/1.png,finch\na/2.png,owl\nb/3.png,finch\nb/4.png,owl\n",
    "label first": "finch,a/1.png\nowl,a/2.png\nfinch,b/3.png\nowl,b/4.png\n",
    "label first, with names": "label,path\nfinch,a/1.png\nowl,a/2.png\nfinch,b/3.png\nowl,b/4.png\n",
    "unknown names": "bird,where\nfinch,a/1.png\nowl,a/2.png\nfinch,b/3.png\nowl,b/4.png\n",
    "no suffixes": "a/1,finch\na/2,owl\nb/3,finch\nb/4,owl\n",
    "no suffixes, Kaggle's names": "id,breed\na/1,finch\na/2,owl\nb/3,finch\nb/4,owl\n",
    "backslashes": "path,label\na\\1.png,finch\na\\2.png,owl\nb\\3.png,finch\nb\\4.png,owl\n",
    "backslashes, no suffixes": "a\\1,finch\na\\2,owl\nb\\3,finch\nb\\4,owl\n",
    "a comma at the end": "path,label,\na/1.png,finch,\na/2.png,owl,\nb/3.png,finch,\nb/4.png,owl,\n",
    "a comma at the end of the data": "path,label\na/1.png,finch,\na/2.png,owl,\nb/3.png,finch,\nb/4.png,owl,\n",
    "a data frame's numbers": ",path,label\n0,a/1.png,finch\n1,a/2.png,owl\n2,b/3.png,finch\n3,b/4.png,owl\n",
    "numbers, no names": "1,a/1.png,finch\n2,a/2.png,owl\n3,b/3.png,finch\n4,b/4.png,owl\n",
    "semicolons": "path;label\na/1.png;finch\na/2.png;owl\nb/3.png;finch\nb/4.png;owl\n",
    "tabs": "a/1.png\tfinch\na/2.png\towl\nb/3.png\tfinch\nb/4.png\towl\n",
    "quotes and spaces": '"path", "label"\r\n"a/1.png",finch \r\na/2.png, owl\r\nb/3.png,"finch"\r\nb/4.png,owl',
    "a column more": "path,label,author\na/1.png,finch,X\na/2.png,owl,Y\nb/3.png,finch,X\nb/4.png,owl,Z\n",
}


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(PICTURES):
        save_picture(tmp_path / name, seed)
    return tmp_path


def labelled(source):
    return {name: source.class_names[label] for name, label in zip(source.names, source.labels)}


@pytest.mark.parametrize("kind", CSV)
def test_a_csv_says_the_same_however_it_is_written(folder, kind):
    (folder / "birds.csv").write_bytes(CSV[kind].encode())
    source = open_folder(folder / "birds.csv")
    assert labelled(source) == PICTURES and source.problems == [] and source.parts is None
    assert all(source.path(i).is_file() for i in range(4))


def test_three_columns_without_names_are_paths_labels_and_parts(folder):
    (folder / "birds.csv").write_text("train,a/1.png,finch\ntrain,a/2.png,owl\ntest,b/3.png,finch\ntest,b/4.png,owl\n")
    source = open_folder(folder / "birds.csv")
    assert labelled(source) == PICTURES
    assert dict(zip(source.names, source.parts)) == {
        "a/1.png": "training",
        "a/2.png": "training",
        "b/3.png": "validation",
        "b/4.png": "validation",
    }


def test_files_may_be_in_the_one_folder_next_to_the_csv_that_has_them(folder):
    """Kaggle's dog breeds: labels.csv has names without suffix, of files in train/."""
    (folder / "labels.csv").write_text("id,breed\n1,finch\n2,owl\n")
    source = open_folder(folder / "labels.csv")
    assert labelled(source) == {"a/1.png": "finch", "a/2.png": "owl"} and source.layout == "its paths begin in a/"
    (folder / "labels.csv").write_text("path,label\n3.png,finch\n4.png,owl\n")
    assert labelled(open_folder(folder / "labels.csv")) == {"b/3.png": "finch", "b/4.png": "owl"}


def test_parts_names_values_of_split(folder):
    rows = "".join(f"{name},{label},fold{i % 3}\n" for i, (name, label) in enumerate(PICTURES.items()))
    (folder / "birds.csv").write_text("path,label,split\n" + rows)
    with pytest.raises(DataError, match="holds fold0, fold1, fold2: expected train and val; .*--parts A,B"):
        open_folder(folder / "birds.csv")
    source = open_folder(folder / "birds.csv", parts="fold0,fold1")
    assert sorted(zip(source.names, source.parts)) == [
        ("a/1.png", "training"),
        ("a/2.png", "validation"),
        ("b/4.png", "training"),
    ]
    assert problems(source, "part not used") == ["split fold2"]
    source = open_folder(folder / "birds.csv", parts="fold0")
    assert sorted(source.names) == ["a/1.png", "b/4.png"] and source.parts is None
    assert len(open_folder(folder / "birds.csv", parts="classes")) == 4
    for text, parts, words in (
        ("path,label,split\n" + rows, "fold0,fold7", "expected fold7"),
        (CSV["with names"], "train,val", "expected a column split"),
    ):
        (folder / "birds.csv").write_text(text)
        with pytest.raises(DataError, match=words):
            open_folder(folder / "birds.csv", parts=parts)


def test_a_refusal_names_the_first_finding_and_what_was_looked_for(folder):
    (folder / "birds.csv").write_text(
        "path,label\nx/1.png,finch\nx/2.png,owl\nx/3.png,finch\nx/4.png,owl\nx/5.png,owl\n"
    )
    with pytest.raises(DataError) as refused:
        open_parts(folder / "birds.csv")
    message = str(refused.value)
    assert "none of them usable" in message and "left out: missing file (5)" in message
    assert f"the first: missing file: x/1.png: expected a file, found none at {folder / 'x/1.png'}" in message
    (folder / "c").mkdir()
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        (folder / name).rename(folder / name.replace(".png", ".tif"))
    (folder / "birds.csv").unlink()
    with pytest.raises(
        DataError, match="no picture: .*the first that is left out: a/1.tif: expected one of .bmp, .*PNG"
    ):
        open_folder(folder)


@pytest.mark.parametrize(
    "content, words",
    [
        ("path,label\na/1.png,finch,x\n", "line 2: 3 values: expected 2 as in the first line"),
        (
            "path,one,two\na/1.png,0,5\na/2.png,1,7\n",
            "expected the columns path,label .and split., found path, one, two",
        ),
        ("a/1.png,5,7\na/2.png,6,9\n", "found a/1.png, 5, 7"),
        ('path,label\n"a/1.png"x,finch\n', "not a CSV file"),
    ],
)
def test_what_cannot_be_told_is_refused(folder, content, words):
    (folder / "birds.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        open_folder(folder / "birds.csv")
