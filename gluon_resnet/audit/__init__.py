"""What is wrong with a data set itself: images that are there twice, and labels that networks doubt."""
