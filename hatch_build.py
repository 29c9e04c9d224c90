"""Build hook: put the generated package ``loyalty`` into the wheel."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtocolBuildHook(BuildHookInterface[Any]):
    """Generates the protocol code before a wheel or an editable install is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate the code, and add it to the wheel unless the install is editable.

        An editable install finds the code through ``dev-mode-dirs``; it may be
        made before there are any protocol files.
        """
        root = Path(self.root)
        generator = _load(root / "protos" / "generate.py")
        generator.generate(root)
        if version == "editable":
            return
        packages = sorted(path for path in (root / generator.TARGET).iterdir() if path.is_dir())
        if not packages:
            raise FileNotFoundError(f"no protocol files in {root / generator.SOURCES}")
        for package in packages:
            build_data["force_include"][str(package)] = package.name


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
