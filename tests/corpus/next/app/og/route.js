import { ImageResponse } from 'next/og';

export const dynamic = 'force-dynamic';
export async function GET() {
  return new ImageResponse(<div style={{ display: 'flex', background: 'white', width: '100%', height: '100%' }}>Cats</div>, { width: 40, height: 20 });
}
