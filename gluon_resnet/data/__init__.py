"""Data, from files to batches.

Fashion-MNIST: ``sources`` finds and verifies files, ``fetch`` fetches what is missing, ``fashion_mnist`` reads them,
``hold_out`` holds some of them out, ``batches`` makes batches of arrays. Images of your own: ``folder_parts`` says
which folders are parts and which are classes, ``listing`` and ``csv_listing`` (with ``csv_table``) list the images,
``scan``, ``duplicates`` and ``findings`` say what is wrong with them, ``image_folder`` splits them, ``decoded`` keeps
what has been decoded (``slots`` on the disk), ``augment`` and ``pictures`` make batches. Record files: ``recordio``
reads them, ``record_files`` packs them, ``record_unpack`` unpacks them, ``record_checks`` verifies them,
``record_info`` sums them up, ``records`` makes them a source of images like a folder (``picture_source``),
``record_parts`` finds the files that belong together.
"""
