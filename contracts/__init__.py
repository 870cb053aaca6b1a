"""What crosses a service boundary, and nothing else.

Events with their upcasters, the envelope they travel in, the HTTP commands and problems, and the arithmetic every
side must agree on. Imports pydantic and the standard library only, so other teams can install it by itself.
"""

__version__ = "1.0.0"
