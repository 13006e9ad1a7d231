import { notFound } from 'next/navigation';

export const generateStaticParams = () => [{ name: 'tom' }];
export const generateMetadata = ({ params }) => ({ title: params.name });
export default function Page({ params }) {
  if (params.name === 'dog') notFound();
  if (params.name === 'bad') throw new Error('bad cat');
  return (<h1>{params.name}, {new Intl.DateTimeFormat('ja', { dateStyle: 'full', timeZone: 'Asia/Tokyo' }).format(0)}</h1>);
}
