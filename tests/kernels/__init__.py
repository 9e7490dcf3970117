"""What the agent needs of a kernel, tried on kernels of Debian in virtual machines."""
