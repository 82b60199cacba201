"""The program, as `imprint` or `python -m imprint`. Everything is imported within, where Ctrl-C is told in a line."""

import sys


def main() -> None:
    try:
        from imprint.cli import main as command_line

        command_line()
    except KeyboardInterrupt:  # later ones are the command line's, which knows what was begun
        print("\nimprint: interrupted. Nothing was begun.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
