variable table {anvil 80 hammer 12.5 tongs 3.1}
