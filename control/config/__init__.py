"""Configuration: `tower.toml`, then `TOWER_SECTION__KEY` in the environment, then flags.

sections.py   which sections and keys there are, read off the dataclasses of the parts
sources.py    the file, the environment and the flags as raw values with where they come from
convert.py    a raw value into the type of its key
load.py       all of it together
"""

from control.config.load import Config, load_config
from control.config.sources import Setting, settings_from_environment, settings_from_file

__all__ = ["Config", "Setting", "load_config", "settings_from_environment", "settings_from_file"]
