"""Which files Keras itself holds back for validation, on folders made for it: the golden list of the split's test.

    .venv-parity/bin/python scripts/parity/keras_split.py tests/golden/keras_split.json       # about 10 seconds

Both Keras 3 (keras) and Keras 2 (tf_keras) are asked, through image_dataset_from_directory; they have to agree. The
folders are empty files by name: Keras opens none of them before the first batch.
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

#: case -> (names of the files, [(validation_split, seed)])
CASES = {
    # article 000: 166 + 111 + 122 + 166 = 565 photos, numbered as its data set numbers them
    "article-000": (
        [
            f"{name}/{i:03d}.jpg"
            for name, number in (
                ("Bananaquit", 166),
                ("Black Skimmer", 111),
                ("Black Throated Bushtiti", 122),
                ("Cockatoo", 166),
            )
            for i in range(1, number + 1)
        ],
        [(0.2, 123), (0.1, 0), (0.5, 4294967295)],
    ),
    # the order of "a", "a/b", "a-b" and "a b" is that of whole paths, and capitals come before small letters
    "nested": (
        [
            "birds/1.jpg",
            "birds/a/2.jpg",
            "birds/a/b/3.jpg",
            "birds/a-b/4.jpg",
            "birds/a b/5.jpg",
            "birds/a/z.jpg",
            "birds/a.jpg",
            "birds/A/6.jpg",
            "birds/.hidden/7.jpg",
            "birds-2/1.jpg",
            "birds 2/1.jpg",
            "Birds/1.jpg",
            "empty/.keep",
            ".hidden/8.jpg",
            "in-no-class.jpg",
        ],
        [(0.2, 1), (0.34, 7), (0.9, 123)],
    ),
    "suffixes": (
        [
            "b/IMG_1.JPG",
            "b/IMG_2.jpg",
            "b/img_10.Jpeg",
            "b/img_2.png",
            "b/x.PNG",
            "b/x.bmp",
            "b/x.GIF",
            "b/x.webp",
            "b/x.tiff",
            "b/notes.txt",
            "b/Thumbs.db",
            "b/.DS_Store",
            "b/._x.jpg",
            "b/.x.jpg",
            "b/jpg",
            "b/a.jpg.txt",
            "a/é.jpg",
            "a/鳥.jpg",
            "a/z.jpg",
            "a/Z.jpg",
            "a/10.jpg",
            "a/9.jpg",
        ],
        [(0.25, 123), (0.5, 42)],
    ),
}


def make_folder(folder, names):
    """Empty files of these ``names`` below ``folder``."""
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def digest(names):
    """SHA-256 of a list of names in its order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def split_of(load, folder, share, seed):
    """What one Keras says: class names, number and digest of the training files, the validation files in order."""
    found = {}
    for subset in ("training", "validation"):
        data = load(folder, validation_split=share, subset=subset, seed=seed)
        found[subset] = [Path(path).relative_to(folder).as_posix() for path in data.file_paths]
    return {
        "class_names": data.class_names,
        "training": len(found["training"]),
        "training_digest": digest(found["training"]),
        "validation": found["validation"],
    }


def main(out):
    """Ask both, write ``out``; SystemExit where they disagree."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tf_keras

    golden = {"keras": keras.__version__, "tf_keras": tf_keras.__version__, "cases": []}
    for case, (names, settings) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            make_folder(folder, names)
            for share, seed in settings:
                answers = [
                    split_of(module.utils.image_dataset_from_directory, folder, share, seed)
                    for module in (keras, tf_keras)
                ]
                if answers[0] != answers[1]:
                    raise SystemExit(f"{case}, {share}, {seed}: Keras 3 and Keras 2 disagree: {answers}")
                golden["cases"].append({"case": case, "validation_split": share, "seed": seed, **answers[0]})
                sizes = f"{answers[0]['training']} and {len(answers[0]['validation'])}"
                print(f"{case}, {share} held back, seed {seed}: {sizes}", flush=True)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
