"""The command line of the door process."""

from edged.doorway.main import _options


def test_every_option_says_what_it_is_for() -> None:
    parser = _options()
    text = " ".join(parser.format_help().split())
    for action in parser._actions:
        assert action.help, action.option_strings
        assert action.help.split(":")[0].split("(")[0].strip() in text
    assert "78 bad configuration" in text
