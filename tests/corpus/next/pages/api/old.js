export default function handler(request, response) {
  response.status(request.method === 'PUT' ? 200 : 405).json({ method: request.method, body: request.body ?? null });
}
