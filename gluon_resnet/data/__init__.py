"""Data: find and verify files (``sources``), fetch them (``fetch``), read them (``fashion_mnist``), make batches of them (``batches``)."""
