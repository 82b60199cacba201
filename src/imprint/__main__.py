"""The program, as `imprint` or `python -m imprint`. Everything is imported within, where Ctrl-C is told in a line."""

import os
import sys


def main() -> None:
    try:
        from imprint.cli import main as command_line

        try:
            command_line()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
        sys.exit(0)
    except KeyboardInterrupt:  # later ones are the command line's, which knows what was begun
        print("\nimprint: interrupted. Nothing was begun.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
