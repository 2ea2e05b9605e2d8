"""firmware-profiles/profile.schema.json by a validator other people wrote: every shipped profile keeps it, and the damages
it is there to find break it.
"""

import copy
import json
import unittest
from typing import Any

import jsonschema
import profile_yaml
import yaml

PROFILES = sorted(path for path in profile_yaml.FOLDER.glob("*/*.yaml") if not path.name.endswith(".frames.yaml"))
SCHEMA = json.loads((profile_yaml.FOLDER / "profile.schema.json").read_text())


class Plain(yaml.SafeLoader):
    """YAML as JSON has it: a date is text."""


Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in each if tag != "tag:yaml.org,2002:timestamp"]
    for first, each in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Any) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        made: dict[str, Any] = yaml.load(file, Plain)  # noqa: S506: derived from SafeLoader
        return made


def damages(item: Any, place: str = "") -> list[tuple[str, Any]]:
    """Copies of a profile, each with one key added, or one value of another shape."""
    made: list[tuple[str, Any]] = []
    if isinstance(item, dict):
        made.append((f"{place}: unknown key", {**item, "unknown-key": 1}))
        for key, value in item.items():
            made += [(where, {**item, key: other}) for where, other in damages(value, f"{place}.{key}")]
    elif isinstance(item, list):
        made.append((f"{place}: no list", {"no": "list"}))
        for index, value in enumerate(item[:3]):
            made += [
                (where, [*item[:index], other, *item[index + 1 :]]) for where, other in damages(value, f"{place}[{index}]")
            ]
    else:
        made.append((f"{place}: a list", [[]]))
    return made


class Schema(unittest.TestCase):
    validator: Any

    @classmethod
    def setUpClass(cls) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        cls.validator = jsonschema.Draft202012Validator(SCHEMA)

    def test_every_profile_keeps_it(self) -> None:
        self.assertGreaterEqual(len(PROFILES), 3)
        for path in PROFILES:
            with self.subTest(path.name):
                errors = [f"{error.json_path}: {error.message}" for error in self.validator.iter_errors(load(path))]
                self.assertEqual(errors, [])

    def test_every_profile_has_frames(self) -> None:
        for path in PROFILES:
            with self.subTest(path.name):
                frames = load(path.with_name(path.name.replace(".yaml", ".frames.yaml")))
                self.assertEqual(frames["profile"], f"{path.parent.name}/{path.stem}")

    def test_every_damage_breaks_it(self) -> None:
        for name in ("abb/b23", "eastron/sdm630", "sunspec/inverter-103"):
            found = damages(load(profile_yaml.FOLDER / f"{name}.yaml"))
            self.assertGreater(len(found), 50)
            for where, damaged in found:
                with self.subTest(profile=name, damage=where):
                    self.assertFalse(self.validator.is_valid(damaged))

    def test_what_must_stand_there(self) -> None:
        whole = load(profile_yaml.FOLDER / "abb" / "b23.yaml")
        for key in SCHEMA["required"]:
            damaged = copy.deepcopy(whole)
            del damaged[key]
            with self.subTest(key):
                self.assertFalse(self.validator.is_valid(damaged))
        for change in (
            {"firmware": [{}]},
            {"checked": [{"by": "x", "on": "2026-13-01", "how": "y"}]},
            {"contradictory": []},
            {"level": "gold"},
            {"limits": {**whole["limits"], "registers-max": 126}},
            {"limits": {**whole["limits"], "timeout-max": "soon"}},
            {"identity": {"mode": {"function": 5, "address": 1, "type": "u16"}}},
        ):
            with self.subTest(change=str(change)):
                self.assertFalse(self.validator.is_valid({**whole, **change}))


if __name__ == "__main__":
    unittest.main()
