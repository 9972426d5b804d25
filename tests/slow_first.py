"""Start the files that take longest first, so that both processes of `make test` end at about the same time.

pytest-xdist starts with the files that have most tests. Those of few but slow tests came last, and one core waited.
"""

from xdist.scheduler import LoadFileScheduling

#: files whose tests take more than 15 seconds together on one core, slowest first; then some of few but slow tests
SLOW_FILES = (
    "tests/documents/test_documents.py",
    "tests/play/test_play.py",
    "tests/instruments/test_fused.py",
    "tests/training/test_recipe.py",
    "tests/weights/test_weights.py",
    "tests/lab/test_experiments.py",
    "tests/documents/test_contributing.py",
    "tests/networks/test_models.py",
    "tests/runs/test_launch.py",
    "tests/report/test_report.py",
    "tests/instruments/test_quantized.py",
    "tests/instruments/test_microscope.py",
    "tests/runs/test_pictures.py",
    "tests/machine/test_env.py",
    "tests/test_wheel.py",
    "tests/benchmarks/test_inference.py",
    "tests/networks/test_preactivation.py",
    "tests/runs/test_folder.py",
    "tests/benchmarks/test_training.py",
    "tests/lab/test_cost.py",
    "tests/book/test_book.py",
    "tests/runs/test_config.py",
)


class SlowFilesFirst(LoadFileScheduling):
    """Whole files, as with ``--dist loadfile``, those of SLOW_FILES before the others."""

    def _assign_work_unit(self, node):
        file = next((file for file in SLOW_FILES if file in self.workqueue), None)
        if file is not None:
            self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)
