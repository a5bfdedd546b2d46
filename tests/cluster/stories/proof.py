"""What the stories measured, kept for build/proof.json."""

FIGURES = {}


def record(fix, **figures):
    """Figures of a fix; a later call adds to them, also to a figure that is a dict."""
    known = FIGURES.setdefault(fix, {})
    for name, value in figures.items():
        if isinstance(value, dict) and isinstance(known.get(name), dict):
            known[name].update(value)
        else:
            known[name] = value
