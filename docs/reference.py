"""
Writes docs/reference.md from the code: verbs, settings, assets, checks, errors.

python docs/reference.py            # write it
python docs/reference.py --check    # fail when it is not what the code says
"""

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent / "reference.md"

HEAD = """# Reference

Written from the code by `make docs`. How things are done: [how-to](how-to.md); step by step: [tutorial](tutorial.md).
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or with `--check` compare it; 1 when it differs."""
    parser = argparse.ArgumentParser(description="Write the reference from the code.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    text = render()
    if not parser.parse_args(arguments).check:
        REFERENCE.write_text(text, encoding="utf-8")
    elif not REFERENCE.is_file() or REFERENCE.read_text(encoding="utf-8") != text:
        print(f"{REFERENCE} is not what the code says; run `make docs`", file=sys.stderr)
        return 1
    return 0


def render() -> str:
    """The whole reference as Markdown."""
    parts = [HEAD, *_commands(), *_settings(), *_assets(), *_checks(), *_errors()]
    return "\n".join(parts).rstrip() + "\n"


def _commands() -> Iterator[str]:
    import typer

    from lakehouse_assets.cli.app import app
    from lakehouse_assets.cli.verb import SHARED_OPTIONS

    root = typer.main.get_command(app())
    yield "## Commands\n"
    yield "Options of every command, before or after the verb:\n"
    yield from _options([parameter for parameter in root.params if parameter.name in SHARED_OPTIONS])
    for name, command in sorted(_walk(root, "lakehouse")):
        own = [parameter for parameter in command.params if parameter.name not in SHARED_OPTIONS]
        yield f"### {name}\n"
        yield inspect.cleandoc(command.help or "") + "\n"
        yield from _options(own)
        yield f"`{(command.epilog or '').removeprefix('Example: ')}`\n"


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All verbs below a command with their full names."""
    for name, child in getattr(command, "commands", {}).items():
        if getattr(child, "commands", None):
            yield from _walk(child, f"{path} {name}")
        else:
            yield f"{path} {name}", child


def _options(parameters: list[Any]) -> Iterator[str]:
    rows = [
        [_names(parameter), getattr(parameter, "help", None) or ""]
        for parameter in parameters
        if parameter.name != "help"
    ]
    if rows:
        yield _table(["option", "meaning"], rows)


def _names(parameter: Any) -> str:
    """How an option or argument is written."""
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
        return f"`{name}`"
    value = "" if parameter.is_flag or parameter.count else f" {parameter.metavar or 'VALUE'}"
    return ", ".join(f"`{option}{value}`" for option in parameter.opts)


def _settings() -> Iterator[str]:
    from lakehouse_assets.settings import Settings

    yield "## Settings\n"
    yield "From the environment, a `.env` file or mounted secrets.\n"
    about = _attribute_docs(Settings)
    rows = []
    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else f"`{field.default}`"
        rows.append([f"`LAKEHOUSE_{name.upper()}`", default, about[name]])
    yield _table(["variable", "default", "meaning"], rows)


def _attribute_docs(model: type) -> dict[str, str]:
    """The texts that stand below the fields of a class."""
    import ast

    [body] = ast.parse(inspect.getsource(model)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    name = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = " ".join(str(node.value.value).split())
            name = ""
    return found


def _assets() -> Iterator[str]:
    from lakehouse_assets.defs import artifacts

    yield "## Assets\n"
    yield "One partition per dataset, but for the catalogue.\n"
    every = [artifacts.DATASET_CONFIG, artifacts.STATEMENT_TABLE, *artifacts.FILES, artifacts.LAKE_CATALOG]
    rows = [
        [f"`{artifact.asset}`", f"`{artifact.place}`", ", ".join(f"`{name}`" for name in artifact.deps)]
        for artifact in every
    ]
    yield _table(["asset", "where it lies", "made from"], rows)


def _checks() -> Iterator[str]:
    from lakehouse_assets.defs.checks import CHECKS

    yield "## Checks\n"
    rows = [
        [f"`{check.name}`", ", ".join(f"`{name}`" for name in check.assets), check.description]
        for check in CHECKS
    ]
    yield _table(["check", "of", "asks"], rows)


def _errors() -> Iterator[str]:
    from lakehouse_assets import errors

    yield "## Errors\n"
    rows = [
        [f"`{name}`", ", ".join(f"`{base.__name__}`" for base in found.__bases__), _first_line(found)]
        for name, found in vars(errors).items()
        if inspect.isclass(found) and found.__module__ == errors.__name__
    ]
    yield _table(["class", "derives from", "means"], rows)


def _first_line(found: type) -> str:
    return (inspect.getdoc(found) or "").splitlines()[0]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells) + "\n"


if __name__ == "__main__":
    sys.exit(main())
