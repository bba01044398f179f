"""The centre: one place where every product's evidence lives, releases are gated and jobs run.

It computes no figure: it runs the engine and reads bundles. docs/design/centre.md has its types.
"""
