"""The vocabulary of exercises: what can be done in a lab, and what can be expected of it.

Each call is a narrated step: what was done, what was seen, the evidence. `lab.ExerciseLab` is the fixture
``lab``, `person.Person` the fixtures ``alice``, ``amy``, ``bob`` and ``bea``.
"""
