"""Steps of the content filter; each module here has a function run(message, context)."""
import importlib


class Refused(Exception):
    """A message that is given back to its sender."""


def load(name):
    return importlib.import_module(f"{__name__}.{name}").run
