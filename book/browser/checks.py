"""What every page must be, in a narrow and a wide window, in light and in dark."""


def none(faults):
    """Fails, and names them a line each, if there are any."""
    assert not faults, "\n".join(["", *faults])


class PageChecks:
    """Tests of a Visit; a class below says which site: ``site = "book"``."""

    def test_loads(self, visit):
        """The page is there, says nothing on the console, and asks no other host for anything."""
        assert visit.status == 200
        none(visit.console + visit.failed + [f"another host was asked for {url}" for url in visit.foreign])

    def test_pictures_have_sizes_and_texts(self, visit):
        """Every picture loads, and keeps its place and its meaning while it does not."""
        none(visit.pictures)

    def test_fits_into_the_window(self, visit):
        """Nothing but boxes made for it scrolls sideways."""
        none(visit.overflow)

    def test_nothing_is_cut_off(self, visit):
        """Code, outputs and tables are as wide as their boxes at most; code alone may scroll in a narrow window."""
        none(visit.cut)

    def test_formulas_are_set(self, visit):
        """No TeX is left to be read."""
        none(visit.raw_formulas)

    def test_axe_is_content(self, visit):
        """WCAG 2.1 A and AA as far as a program can tell, contrast included."""
        none(visit.axe)
