import Link from 'next/link';

export default function Page() {
  return (<main><h1>Cats</h1><Link href="/about">about</Link></main>);
}
