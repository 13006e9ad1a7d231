export const dynamic = 'force-dynamic';
export function GET() {
  const words = ['a', 'b', 'c'];
  return new Response(new ReadableStream({ pull(c) { words.length ? c.enqueue(new TextEncoder().encode(words.shift())) : c.close(); } }));
}
