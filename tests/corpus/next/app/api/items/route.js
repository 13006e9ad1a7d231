import { createHash } from 'node:crypto';

export const dynamic = 'force-dynamic';
export async function GET(request) {
  return Response.json({ query: new URL(request.url).searchParams.get('q'), agent: request.headers.get('x-agent') });
}
export async function POST(request) {
  const form = await request.formData();
  const file = form.get('file');
  return Response.json({ name: file.name, sha: createHash('sha256').update(Buffer.from(await file.arrayBuffer())).digest('hex').slice(0, 16) }, { status: 201 });
}
