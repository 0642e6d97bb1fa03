"""What is handed over: frozen values that cross a boundary. No behaviour, no I/O, no clock."""
