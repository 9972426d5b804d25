"""An ImageNet-trained ResNet-18 goes on with article 000's bird photographs: SGD 0.001, momentum 0.9, 5 epochs.

    gluon-resnet run bird_photos_finetune --data bird_photos --weights resnet18.safetensors

Neither pictures nor weights are part of the suite. These weights have their batch norms folded, so batch norm keeps its
statistics (freeze_norm); see README.md on weights.
"""
CONFIG = {
    "kind": "pictures",
    "shared": {"data": "bird_photos", "model": "resnet18", "weights": "resnet18.safetensors", "new_head": True,
               "optimizer": "sgd", "momentum": 0.9, "freeze_norm": True, "epochs": 5, "crop": True, "flip": 0.5},
    "arms": {"ResNet-18": {}},
}

CLAIM = {
    "statement": "what ImageNet taught is worth more than ten epochs on 192 photographs: at least 0.93 right",
    "source": "one run of this suite (0.979, seed 0), less two of 48 pictures",
    "checks": [{"metric": "test_acc", "arm": "ResNet-18", "low": 0.93, "high": 1.0}],
}
