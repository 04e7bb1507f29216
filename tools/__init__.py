"""What stands behind the Makefile: the virtual environment, a Pulumi, the simulator's process, the local stack.

Standard library only, since it runs before anything is installed; but for what writes pages and pictures of them
(`reference.py`, `picture.py`), which nothing here imports.
"""
