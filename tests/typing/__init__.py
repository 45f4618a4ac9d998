"""What type checkers say to the code of users: ``python -m tests.typing``."""
