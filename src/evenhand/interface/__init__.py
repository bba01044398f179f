"""What Python asks for: the functions of `evenhand`, each with what it takes and raises.

They are light: what does the work is imported by the first call, so that ``import evenhand`` stays
quick.
"""
