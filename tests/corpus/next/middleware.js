import { NextResponse } from 'next/server';

export const config = { matcher: '/private/:path*' };
export function middleware(request) {
  if (request.nextUrl.searchParams.get('token') !== 'open') return new NextResponse('closed', { status: 403 });
  return NextResponse.rewrite(new URL('/about', request.url));
}
