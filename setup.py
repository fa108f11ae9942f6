"""The build steps that setup.cfg cannot say: compile the lists, and take the pack into the wheel."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# Beside the package in a checkout, inside it in a wheel: see cortex_grow/pack.
PACK = ("analyzers", "responders", "thehive-templates", "examples")


class BuildPy(build_py):
    """Compiles the lists first, so that they are package data; an editable install finds them and the pack in place."""

    def run(self) -> None:
        runpy.run_path(str(ROOT / "tools" / "compile_lists.py"), run_name="__main__")
        super().run()
        if not self.editable_mode:
            for name in PACK:
                self.copy_pack(name)

    def copy_pack(self, name: str) -> None:
        target = Path(self.build_lib, "cortex_grow", "pack", name)
        shutil.rmtree(target, ignore_errors=True)  # what an earlier build left there may be gone from the pack
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))


setup(cmdclass={"build_py": BuildPy})
