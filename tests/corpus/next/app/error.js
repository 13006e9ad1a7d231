'use client';
export default function Failed() {
  return (<h1>It broke</h1>);
}
