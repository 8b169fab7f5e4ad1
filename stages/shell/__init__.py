"""What every command stands on: console, errors -> exit codes, options, parameters, devices, processes."""
