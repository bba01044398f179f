"""Explanations of models of tables: what each feature does to an answer."""
