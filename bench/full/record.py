"""What has been measured, in bench/out: one JSON file a scenario, written after every run, so a stop loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.full.scenario import Scenario, Sizes

Entry = dict[str, Any]  # figures by name, or {"error": ...}, or {"lacks": ...}


class Record:
    """The rounds of one scenario. A round has an entry for every contestant, and so makes the pairs."""

    def __init__(self, folder: Path, scenario: Scenario, sizes: Sizes) -> None:
        self._path = folder / f"{scenario.name}.json"
        self.scenario = scenario
        self.setup: dict[str, Any] = asdict(sizes)
        self.about: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.rounds: list[dict[str, Entry]] = []

    def load(self) -> Record:
        """Take up what is there."""
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            self.setup, self.rounds, self.about = kept["setup"], kept["rounds"], kept["about"]
            self.versions = kept.get("versions", {})
        return self

    def go_on(self, sizes: Sizes, installed: dict[str, str], forget: Iterable[str] = ()) -> Record:
        """Take up what is there to add to it, without these contestants' runs.

        Other sizes, another commit and other versions cannot be mixed: quick or fresh runs then begin anew.
        """
        self.load()
        if other := self._differs(asdict(sizes), installed):
            if not sizes.quick and not forget:
                raise SystemExit(f"bench: {self._path.name} is of {other}; --fresh measures it again")
            self.rounds = []
        self.setup, self.versions = asdict(sizes), installed
        for entries in self.rounds:
            for name in forget:
                entries.pop(name, None)
        return self

    def _differs(self, sizes: dict[str, Any], installed: dict[str, str]) -> str:
        """What the kept rounds were made with that is not so now."""
        if not self.rounds:
            return ""
        if self.setup != sizes:
            return str(self.setup)
        names = sorted(self.versions.keys() | installed.keys())
        changed = [name for name in names if self.versions.get(name) != installed.get(name)]
        return ", ".join(f"{name} {self.versions.get(name, '(not there)')}" for name in changed)

    def has(self, number: int, name: str) -> bool:
        """Whether there is a result: an error is none, it is tried again."""
        return number < len(self.rounds) and name in self.rounds[number] and "error" not in self.rounds[number][name]

    def put(self, number: int, name: str, entry: Entry) -> None:
        """Keep this one, and write the file."""
        while len(self.rounds) <= number:
            self.rounds.append({})
        self.rounds[number][name] = entry
        whole = {"scenario": self.scenario.name, "setup": self.setup, "about": self.about}
        whole |= {"versions": self.versions, "rounds": self.rounds}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(whole, indent=1))
        fresh.replace(self._path)

    def names(self) -> list[str]:
        """Everybody that has an entry, in the order of appearance."""
        return list(dict.fromkeys(name for entries in self.rounds for name in entries))

    def values(self, name: str, figure: str) -> list[float]:
        """This figure of one contestant, run by run."""
        return [entries[name][figure] for entries in self.rounds if figure in entries.get(name, {})]

    def pairs(self, one: str, other: str, figure: str) -> list[tuple[float, float]]:
        """This figure of both, from the rounds that have both."""
        both = (entries for entries in self.rounds if one in entries and other in entries)
        return [(e[one][figure], e[other][figure]) for e in both if figure in e[one] and figure in e[other]]

    def remark(self, name: str) -> str:
        """Why there is no figure, or that some runs failed."""
        entries = [entries[name] for entries in self.rounds if name in entries]
        lacks = [entry["lacks"] for entry in entries if "lacks" in entry]
        errors = [entry["error"] for entry in entries if "error" in entry]
        if lacks:
            return f"not offered: {lacks[0]}"
        return f"ERROR in {len(errors)} of {len(entries)} runs: {errors[-1]}" if errors else ""
