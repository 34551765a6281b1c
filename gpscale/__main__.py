"""`python -m gpscale` is the command `gpscale`."""

from gpscale.cli import main

if __name__ == "__main__":
    main()
