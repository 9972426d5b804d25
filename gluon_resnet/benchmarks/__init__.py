"""Speed of training, predicting and reading images, compared with other programs."""
