"""Files of a model: which bytes are where, and how they are drawn, written and checked.

layout/            a pure function: names, shapes and dtypes -> files, headers, places of tensors
contents.py        the bytes of a layout's files, any range of them
writer.py          draws ranges piece by piece and writes them, with several threads
workers.py         functions that run at once, each in a thread of its own
space.py           space reserved on the disk, and writes past the page cache
shares.py          which bytes belong to part k of n
staging_folder.py  the folder in which files grow until they get their names: what it holds
notes.py           the plan and the markers in it, checked when they are read
markers.py         which parts are on the disk, and a text that says which are missing
locks.py           locks of files
staging.py         a process joins the folder, locks it, and leaves or deletes it
publishing.py      the finished files get their names
targets.py         targets that exist, and what may be replaced
save.py            save, finish
verify.py          verify; compare.py and verification.py belong to it
progress.py        a line on the terminal, or a function of the caller's
"""

from .save import Saved, finish, save

__all__ = ["Saved", "finish", "save"]
