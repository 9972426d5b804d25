"""The training loop and what a recipe can add to it."""
