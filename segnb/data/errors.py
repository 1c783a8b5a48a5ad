"""The one exception for whatever is wrong with data on the disk or on their way there."""


class DataError(Exception):
    """A data file or folder is missing, damaged or not what it should be; the message names it and the cure."""
