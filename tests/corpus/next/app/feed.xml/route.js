export const revalidate = 3600;
export function GET() {
  return new Response('<feed/>', { headers: { 'content-type': 'application/xml' } });
}
