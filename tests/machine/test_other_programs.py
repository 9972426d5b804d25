import subprocess
import sys
import time

from gluon_resnet.machine.other_programs import OtherPrograms

BUSY = "import time\nend = time.time() + {}\nwhile time.time() < end: pass"


def test_a_busy_neighbour_is_noticed_and_our_own_work_is_not():
    with OtherPrograms() as alone:
        subprocess.run([sys.executable, "-c", BUSY.format(0.5)], check=True)  # our child, and waited for
    neighbour = subprocess.Popen([sys.executable, "-c", BUSY.format(30)])  # not waited for yet: a stranger
    try:
        with OtherPrograms() as crowded:
            time.sleep(1)
    finally:
        neighbour.kill()
        neighbour.wait()
    assert alone.cores is not None and crowded.cores > 0.2


def test_a_system_without_proc_stat_is_unknown_and_not_idle(monkeypatch):
    def absent(self, *_):
        raise FileNotFoundError(self)

    monkeypatch.setattr("pathlib.Path.read_text", absent)
    assert OtherPrograms().stop() is None
