"""The ``flask db`` commands. A handler reads options, calls the extension and prints;
it can do nothing that Python code can't.
"""
