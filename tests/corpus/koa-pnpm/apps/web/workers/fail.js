throw new RangeError('the thread fell');
