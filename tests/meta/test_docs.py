"""The documentation holds: a page for each function, examples that print so, true fans."""

import doctest
import importlib.util
import re
import subprocess
import sys
