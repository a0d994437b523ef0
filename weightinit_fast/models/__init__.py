"""Models whose parameters are known by name and shape.

shapes.py        names, shapes and dtypes of tensors, from a dict or a file
recipe.py        Recipe: which initialiser for which tensor
  rule.py          one of its rules
  arithmetic.py    expressions in the text of a rule, and named numbers
  ties.py          tied tensors, and memory that tensors share
  explanation.py   what a recipe does with each tensor, as a table
  recipe_toml.py   recipes as TOML
  recipe_like.py   what a parameter recipe= takes, read as a Recipe
filling.py       many tensors in memory, filled as one
builtin/         known models: their shapes and recipes
formats.py       what the formats of weight files fix
files/           models written into files, and compared with them
readers/         headers and elements of weight files
inspect/         what a file of weights holds, and what looks wrong
messages.py      texts of errors about many tensors
"""
