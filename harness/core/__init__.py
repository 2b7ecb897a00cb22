"""Pure functions over arrays and strings: no file is opened here, no process started."""
