"""Which engines there are: every module of this package that calls a class ``ENGINE``."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence

from backups import engines
from backups.engines.base import Engine, Follows, Opening, ReadsBack, Streams
from backups.errors import ToolMissing


@functools.cache
def known_engines() -> Mapping[str, type[Engine]]:
    """Return the engines by their names."""
    modules = (
        importlib.import_module(f"{engines.__name__}.{found.name}")
        for found in pkgutil.iter_modules(engines.__path__)
    )
    classes = (getattr(module, "ENGINE", None) for module in modules)
    return {engine.name: engine for engine in classes if engine is not None}


def strategies_of(name: str) -> Sequence[str]:
    """Return by which strategies a backup of this engine can be brought back, the usual first."""
    engine = known_engines().get(name)
    streams = ["STREAM"] if engine is not None and issubclass(engine, Streams) else []
    reads_back = ["RELAY"] if engine is not None and issubclass(engine, ReadsBack) else []
    return ["STAGE", *streams, *reads_back]


def can_follow(name: str) -> bool:
    """Say whether a standby can be kept warm from an archive of this engine."""
    engine = known_engines().get(name)
    return engine is not None and issubclass(engine, Follows)


def opened(name: str, opening: Opening) -> Engine:
    """Open a database's archive with the engine of that name.

    :raises ToolMissing: if there is none of that name here
    """
    engine = known_engines().get(name)
    if engine is None:
        raise ToolMissing(
            name,
            advice=f"This version of Highwater knows no engine {name}. Correct the registration of "
            "the database, or install the version that knows it.",
        )
    return engine.open(opening)
