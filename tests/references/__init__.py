"""What tests compare with: closed forms, independent solvers, readers of files."""
