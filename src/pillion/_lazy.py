"""Names of a package that are loaded when they are first used (PEP 562), so that importing it stays light."""

from importlib import import_module

# As in pillion/__init__.py: nothing is imported for annotations.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def lazy_names(
    package: str, homes: "Mapping[str, Iterable[str]]", namespace: "dict[str, object]"
) -> "tuple[Callable[[str], object], Callable[[], list[str]]]":
    """The `__getattr__` and the `__dir__` of `package`.

    Parameters: `homes` says which names are in which module below the package; `namespace` is the package's
    `globals()`: a name goes in there when it is loaded, so that this is asked for each name once.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> object:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{home}"), name)
        namespace[name] = value
        return value

    def names() -> list[str]:
        return sorted({*namespace, *home_of})

    return load, names
