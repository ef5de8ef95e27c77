"""The one exception that sejax raises for input that a user can mend."""


class InputError(ValueError):
    """Bad user input: the message names the file or field, the value found and the remedy.

    Launch scripts print it as one line and exit with status 2, without a traceback.
    """
