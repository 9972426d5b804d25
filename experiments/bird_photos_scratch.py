"""Article 000: Keras' ResNet-50 from scratch on bird photographs, Adam 0.001, batches of 8, 10 epochs.

    gluon-resnet run bird_photos_scratch --data bird_photos

The pictures (4 species, 60 photographs each) are not part of the suite: name their folder with --data, or the folder
around it in GLUON_RESNET_REAL_DATA. The article gives its accuracies in a picture only.
"""

CONFIG = {
    "kind": "pictures",
    "shared": {"data": "bird_photos", "reading": "exact"},  # as the results were measured
    "arms": {"ResNet-50": {}},
}

CLAIM = {
    "statement": "192 photographs are enough to tell four species apart far better than chance, and too few for more "
    "than 17 of 20 right",
    "source": "chance is 0.25; the band is this suite's, after one run (0.729, seed 0)",
    "checks": [{"metric": "test_acc", "arm": "ResNet-50", "low": 0.55, "high": 0.85}],
}
