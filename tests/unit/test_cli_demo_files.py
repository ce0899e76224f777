"""Which files the demo reads, and what it does where none of them is broken."""

from __future__ import annotations

from pathlib import Path

from pillion.cli.demo.files import COPIES, is_broken, python_files, standard_library, with_broken_ones

GOOD = "import os\n\ndef read(path):\n    return open(os.path.join(path, 'x')).read()\n"


def write(folder: Path, *names: str, text: str = GOOD) -> list[Path]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [folder / name for name in names]


def test_all_python_files_are_read_but_no_installed_packages(tmp_path):
    write(tmp_path, "a.py", "pkg/b.py", "site-packages/c.py", "dist-packages/d.py", "pkg/__pycache__/e.py", "f.txt")
    assert {path.name for path in python_files(tmp_path)} == {"a.py", "b.py"}


def test_small_files_come_first(tmp_path):
    write(tmp_path, "large.py", text=GOOD * 3)
    write(tmp_path, "small.py")
    assert [path.name for path in python_files(tmp_path)] == ["small.py", "large.py"]


def test_the_standard_library_has_files():
    assert (standard_library() / "os.py").is_file()


class TestBrokenFiles:
    def test_there_are_enough_where_python_keeps_its_own(self, tmp_path):
        files = write(tmp_path, *(f"test/badsyntax_{number}.py" for number in range(3)), text="def (:")
        assert with_broken_ones(files, tmp_path / "broken") == (files, "")

    def test_copies_are_made_where_there_are_not(self, tmp_path):
        files = write(tmp_path, *(f"{number}.py" for number in range(9)))
        chosen, note = with_broken_ones(files, tmp_path / "broken")
        copies = chosen[:COPIES]
        assert chosen[COPIES:] == files
        assert [is_broken(path) for path in copies] == [True] * COPIES
        assert note.startswith(f"{COPIES} of the files are copies that were cut off")

    def test_the_originals_stay_as_they_are(self, tmp_path):
        files = write(tmp_path, "a.py")
        with_broken_ones(files, tmp_path / "broken")
        assert files[0].read_text() == GOOD

    def test_a_name_that_promises_a_broken_file_is_not_believed(self, tmp_path):
        files = write(tmp_path, *(f"badsyntax_{number}.py" for number in range(5)))
        assert with_broken_ones(files, tmp_path / "broken")[1] != ""

    def test_nothing_to_copy_is_no_note(self, tmp_path):
        files = write(tmp_path, "empty.py", text="")
        assert with_broken_ones(files, tmp_path / "broken") == (files, "")
