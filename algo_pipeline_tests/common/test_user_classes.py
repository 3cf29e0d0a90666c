# mypy: disable-error-code="type-abstract"
from __future__ import annotations

import hashlib
import os
import py_compile
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.common import user_modules
from algo_pipeline.common.errors import ConfigValueError, OtherCodeError, SettingsError
from algo_pipeline.common.user_classes import (
    is_reference,
    load_recorded_class,
    load_user_class,
    loaded_sources,
    user_class_digest,
    user_class_reference,
    user_class_source,
)

SETTING = "ALGO_TRADER_SHAPE"
GOOD = """
from algo_pipeline_tests.common.test_user_classes import Shape

class Square(Shape):
    def area(self):
        return 4.0
"""


class Shape(ABC):
    """What the classes of these tests implement."""

    @abstractmethod
    def area(self) -> float:
        """Of the shape."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of its own, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    assert sys.path == path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def _refusal(reference: str) -> str:
    with pytest.raises(SettingsError) as error:
        load_user_class(reference, Shape, SETTING)
    assert SETTING in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("text", ["my_model:Momentum", "a.b.c:D", "_a:_B1", "größe:Fläche"])
def test_module_and_class_are_a_reference(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize(
    "text", ["logistic", "a:b:c", "a:", ":B", "a.:B", "1a:B", "a b:C", "a:B.C", "../a:B", "", None]
)
def test_anything_else_is_no_reference(text: object) -> None:
    assert not is_reference(text)


def test_a_class_is_found_in_the_working_folder(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    assert load_user_class("own_square:Square", Shape, SETTING)().area() == 4.0


def test_a_class_is_found_in_a_package_of_the_working_folder_with_its_neighbours(folder: Path) -> None:
    (folder / "own_shapes").mkdir()
    (folder / "own_shapes" / "__init__.py").write_text("")
    (folder / "own_shapes" / "square.py").write_text(GOOD + "\nfrom own_side import SIDE\n")
    (folder / "own_side.py").write_text("SIDE = 2\n")
    assert load_user_class("own_shapes.square:Square", Shape, SETTING).__module__ == "own_shapes.square"


def test_an_installed_module_is_not_shadowed_by_the_working_folder(folder: Path) -> None:
    (folder / "wsgiref.py").write_text("raise RuntimeError('shadow')")
    assert "no such class" in _refusal("wsgiref:Square")


def test_a_missing_module_is_named_with_the_nearest_file_and_the_folder(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    said = _refusal("own_sqare:Square")
    assert "Did you mean 'own_square'?" in said
    assert str(folder) in said


def test_a_missing_module_of_a_package_is_named_with_the_nearest_one(folder: Path) -> None:
    (folder / "own_shapes").mkdir()
    (folder / "own_shapes" / "square.py").write_text(GOOD)
    assert "Did you mean 'own_shapes.square'?" in _refusal("own_shapes.squares:Square")


def test_a_missing_class_is_named_with_the_nearest_one(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    assert "Did you mean 'Square'?" in _refusal("own_square:Sqare")


def test_a_module_without_any_such_class_says_what_to_put_there(folder: Path) -> None:
    (folder / "own_nothing.py").write_text("x = 1\n")
    assert "Put a class derived from Shape there." in _refusal("own_nothing:Square")


def test_a_class_of_another_kind_is_refused(folder: Path) -> None:
    (folder / "own_other.py").write_text("class Square:\n    pass\n\ndef square():\n    pass\n")
    assert "is no Shape" in _refusal("own_other:Square")
    assert "is no class" in _refusal("own_other:square")


def test_a_class_with_abstract_methods_left_names_them(folder: Path) -> None:
    (folder / "own_half.py").write_text(GOOD.replace("def area", "def other"))
    assert "lacks area of Shape" in _refusal("own_half:Square")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\ny = x / 0\n", "own_broken.py, line 2: ZeroDivisionError"),
        ("x = 1\ndef f(:\n", "own_broken.py, line 2: SyntaxError"),
        ("\n\nimport no_such_package_of_mine\n", "own_broken.py, line 3: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "own_broken.py, line 2: SystemExit"),
    ],
)
def test_an_import_that_breaks_names_the_line(folder: Path, source: str, said: str) -> None:
    (folder / "own_broken.py").write_text(source)
    assert said in _refusal("own_broken:Square")


def test_an_import_that_never_ends_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_modules, "IMPORT_LIMIT_S", 0.05)
    (folder / "own_slow.py").write_text("import threading\n\nthreading.Event().wait(30)\n")
    assert "TimeoutError: no end after 0.05 s" in _refusal("own_slow:Square")


def test_a_text_without_a_class_is_refused_before_anything_is_imported(folder: Path) -> None:
    (folder / "own_broken.py").write_text("raise RuntimeError")
    assert "must have the form module:Class" in _refusal("own_broken")


def test_the_digest_is_that_of_the_source_that_runs_even_when_the_file_has_changed_since(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    square = load_user_class("own_square:Square", Shape, SETTING)
    expected = hashlib.sha256(GOOD.encode()).hexdigest()
    assert user_class_digest(square) == expected
    (folder / "own_square.py").write_text(GOOD.replace("4.0", "5.0"))
    assert user_class_digest(load_user_class("own_square:Square", Shape, SETTING)) == expected
    assert user_class_source(square) == GOOD


@pytest.mark.parametrize("module", ["own_square", "own_shapes.square"])
def test_what_runs_is_the_file_and_no_compilation_of_another_source_with_its_time_and_size(
    folder: Path, module: str
) -> None:
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    file.write_text(GOOD)
    os.utime(file, (1e9, 1e9))
    py_compile.compile(str(file), doraise=True)
    file.write_text(GOOD.replace("4.0", "5.0"))
    os.utime(file, (1e9, 1e9))
    square = load_user_class(f"{module}:Square", Shape, SETTING)
    assert square().area() == 5.0
    assert "5.0" in user_class_source(square)


def test_a_module_that_another_one_imports_is_known_from_when_it_is_named(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    (folder / "own_cube.py").write_text(f"from own_square import Square\n{GOOD.replace('Square', 'Cube')}")
    load_user_class("own_cube:Cube", Shape, SETTING)
    assert set(loaded_sources(["own_cube:Cube", "own_square:Square"])) == {"own_cube.py"}
    square = load_user_class("own_square:Square", Shape, SETTING)
    (folder / "own_square.py").write_text("")
    assert loaded_sources(["own_square:Square"]) == {"own_square.py": GOOD}
    assert user_class_source(square) == GOOD


def test_the_digest_does_not_depend_on_line_ends(folder: Path) -> None:
    (folder / "own_square.py").write_bytes(GOOD.replace("\n", "\r\n").encode())
    square = load_user_class("own_square:Square", Shape, SETTING)
    assert user_class_digest(square) == hashlib.sha256(GOOD.encode()).hexdigest()


def test_a_class_imported_by_other_means_has_the_digest_of_its_file() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert user_class_digest(Shape) == hashlib.sha256(text.encode()).hexdigest()


def test_a_class_without_a_source_file_has_no_digest() -> None:
    made = type("Made", (Shape,), {"__module__": "nowhere", "area": lambda self: 1.0})
    with pytest.raises(ConfigValueError, match="no source file"):
        user_class_digest(made)


def test_a_record_is_followed_to_a_class_that_settings_name_and_that_is_unchanged(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    digest = hashlib.sha256(GOOD.encode()).hexdigest()
    found = load_recorded_class("own_square:Square", digest, Shape, SETTING, {"own_square:Square"})
    assert found().area() == 4.0


def test_a_record_is_never_followed_to_code_that_settings_do_not_name(folder: Path) -> None:
    (folder / "own_trap.py").write_text("from pathlib import Path\nPath('imported').touch()\n" + GOOD)
    with pytest.raises(OtherCodeError, match="settings of this machine do not name"):
        load_recorded_class("own_trap:Square", "0" * 64, Shape, SETTING, ())
    assert not (folder / "imported").exists()
    assert "own_trap" not in sys.modules


def test_a_record_of_a_changed_class_is_refused(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    with pytest.raises(OtherCodeError, match="restore the file"):
        load_recorded_class("own_square:Square", "0" * 64, Shape, SETTING, {"own_square:Square"})


def test_a_record_of_a_class_that_is_gone_says_what_is_missing(folder: Path) -> None:
    with pytest.raises(OtherCodeError, match="neither installed nor a file"):
        load_recorded_class("own_square:Square", "0" * 64, Shape, SETTING, {"own_square:Square"})


def test_a_class_has_to_be_named_where_it_is_written(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    (folder / "own_hub.py").write_text("from own_square import Square\n")
    assert "Name it where it is written: ALGO_TRADER_SHAPE=own_square:Square" in _refusal("own_hub:Square")


def test_the_reference_of_a_class_leads_back_to_it(folder: Path) -> None:
    (folder / "own_square.py").write_text(GOOD)
    square = load_user_class("own_square:Square", Shape, SETTING)
    assert user_class_reference(square) == "own_square:Square"
