"""`python -m sejax COMMAND`: see `sejax.commands`."""

from sejax.commands import main

if __name__ == "__main__":
    main()
