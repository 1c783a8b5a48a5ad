"""``segnb grade submissions/ --out grades.csv``: marks a class of untrusted notebooks.

`command` hands out the work and writes; `class_list` says who is in the class; `room` keeps the processes, `walls` and
`watch` what holds them; behind the walls `unpack` and `answers` read the notebooks; `marking` gives points, `evidence`
notes, `table` and `report` put them down.
"""

from segnb.exercises.grading.command import main
from segnb.exercises.grading.table import COLUMNS

__all__ = ["COLUMNS", "main"]
