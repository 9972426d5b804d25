"""Data, from files to batches.

Fashion-MNIST: ``sources`` finds and verifies files, ``fetch`` fetches what is missing, ``fashion_mnist`` reads them,
``batches`` makes batches of arrays. Pictures: ``listing`` and ``csv_listing`` say what there is, ``scan``,
``duplicates`` and ``report`` what is wrong with it, ``image_folder`` splits it, ``pictures``, ``picture_cache`` and
``augment`` make batches. Record files: ``recordio`` reads them, ``record_files`` packs and unpacks them,
``record_checks`` verifies them, ``records`` makes them a source of pictures.
"""
