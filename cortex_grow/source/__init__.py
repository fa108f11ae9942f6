"""What a source is: a declaration, a way to ask, a mapping of the answer, and one call that does the rest."""
