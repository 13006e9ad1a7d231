export const sorted = (words) => [...words].sort();
