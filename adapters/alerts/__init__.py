"""Ways by which alerts reach people: a file, the terminal, and whatever apprise knows."""
