"""What was published about images and labels of Fashion-MNIST, to compare an audit with."""

#: Identical pairs within the training part, within the test part and across, counted by bytes in the first files.
#: Source: zalandoresearch/fashion-mnist #44 (2017-08-31). Its authors replaced these images the same day (#45).
IDENTICAL = {"train": 43, "test": 1, "across": 10}
IDENTICAL_SOURCE = "zalandoresearch/fashion-mnist #44, in the first files; their authors replaced those images (#45)"
#: Wrong labels of the training part that were listed after a look at the images: Müller and Markert, arXiv 1912.05283,
#: table 7; the authors wrote in zalandoresearch/fashion-mnist #166 that they found a lot more.
WRONG_LABELS = 64
WRONG_LABELS_SOURCE = "arXiv 1912.05283, table 7, seen by its authors in the training part (zalandoresearch #166)"
