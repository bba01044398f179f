"""What goes wrong, in words."""

import errno

import pytest

from evenhand.errors import reason


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "you have no permission"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), "it is a folder"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (FileNotFoundError("No such file or directory (os error 2): x"), "no such file"),
        (OSError(errno.EPROTO, "Protocol error."), "Protocol error"),
        (OSError(), "OSError"),
    ],
)
def test_a_refusal_of_the_system_is_said_in_words_without_numbers(error, said):
    assert reason(error) == said
