"""The code location that workspace.yaml names: the lake of the settings."""

from lakehouse_assets.defs.build import build_definitions

defs = build_definitions()
