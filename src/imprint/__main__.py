"""The program `imprint`. What it needs is imported where an interruption is one line and no stack trace."""

import sys


def main() -> None:
    try:
        from imprint.cli import main as command

        command()
    except KeyboardInterrupt:
        print("\nimprint: interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
