"""How good a trained network is, and what it predicts."""
