export default function NotFound() {
  return (<h1>No such cat</h1>);
}
