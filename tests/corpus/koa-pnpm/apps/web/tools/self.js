// A request to itself through the client of this version of Node.
export default async function self({ path = '/health' }) {
  const response = await fetch(`http://localhost:${process.env.PORT ?? 3000}${path}`);
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
}
