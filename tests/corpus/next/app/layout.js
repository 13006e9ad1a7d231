import './style.css';

export const metadata = { title: { default: 'Cats', template: '%s | Cats' } };
export default function Layout({ children }) {
  return (<html lang="en"><body>{children}</body></html>);
}
