"""YAML that a person wrote."""

from pathlib import Path

import pytest
import yaml

from medauc.errors import InputError
from medauc.training.overrides import apply_overrides
from medauc.training.yaml_text import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "optim.lr: [1, 2]\nloss.margin: [1, 2]\noptim.lr: [3, 4]\n",
            "optim.lr stands twice, in lines 1 and 3",
        ),
        ("optim:\n  lr: 0.1\n  'lr': 0.2\n", "lr stands twice, in lines 2 and 3"),
        ("optim: {lr: 1, lr: 2}\n", "lr stands twice, in line 1"),
        ("optim: [\n", "not valid YAML: while parsing"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_file_key_and_line(tmp_path: Path, text: str, said: str):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_yaml(path, "the recipe")
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_the_same_key_in_two_places_and_merged_mappings_are_read_as_ever():
    text = (
        "base: &base {lr: 1, name: adamw}\nown: {<<: *base, lr: 2}\nother: {<<: *base, lr: 3}\nagain: *base\n"
    )
    assert parse_yaml(text) == yaml.safe_load(text)


def test_a_setting_with_a_key_twice_is_refused():
    with pytest.raises(InputError, match="has a key twice"):
        apply_overrides({}, ["optim={lr: 1, lr: 2}"])
