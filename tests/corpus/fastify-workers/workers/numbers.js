export default (n) => Array.from({ length: n }, (_, i) => i).reduce((a, b) => a + b, 0);
export const factorial = (n) => Array.from({ length: n }, (_, i) => BigInt(i + 1)).reduce((a, b) => a * b, 1n).toString();
