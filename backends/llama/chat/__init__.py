"""What a model reads and writes, as text: templates, the syntax of calls, thoughts, and what becomes of them.

Nothing here knows the library, or a token.
"""
