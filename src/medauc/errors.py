"""The one exception that means "the user's input is at fault"."""


class InputError(ValueError):
    """Input that the user can mend: one line saying what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with status 2.
    """
