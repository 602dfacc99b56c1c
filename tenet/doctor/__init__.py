"""What is wrong with this machine, and the cure. To add a check, write a function and name it in `tenet.doctor.run.CHECKS`."""
