"""The checks of `doctor`: of the installation, of nodes and objects, and of this machine."""
