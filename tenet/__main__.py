"""`python -m tenet`: the command line where the console script is not on the path."""

from tenet.cli import main

if __name__ == "__main__":
    main()
