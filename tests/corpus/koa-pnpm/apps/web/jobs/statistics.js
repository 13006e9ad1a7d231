// A process of its own that reads the walks it is sent.
process.once('message', ({ query, walks }) => {
  const values = walks.map((walk) => walk[query.field ?? 'km']).sort((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  process.send({ deviation: deviation.toFixed(3), max: values.at(-1), mean: mean.toFixed(3), min: values[0], set: new Set(walks.map((walk) => walk.region)).size });
});
