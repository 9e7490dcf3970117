"""Container images out of folders of this machine: no docker, no registry, no network."""
