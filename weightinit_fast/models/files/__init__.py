"""Files of a model: which bytes are where, and how they are drawn and written.

layout.py    a pure function: names, shapes and dtypes -> files, headers, places of tensors
"""
