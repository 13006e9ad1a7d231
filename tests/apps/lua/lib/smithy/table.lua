return { anvil = 80, hammer = 12.5 }
