export const dynamic = 'force-dynamic';
export default async function Page() {
  const { marked } = await import('marked');
  return (<main dangerouslySetInnerHTML={{ __html: marked.parse('# About\n\n* one\n* two') }} />);
}
