"""Data: find and verify files (``sources``), read them (``fashion_mnist``), make batches of them (``batches``)."""
