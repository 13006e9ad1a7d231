module.exports = {
  output: 'standalone',
  generateBuildId: () => 'build',
  redirects: async () => [{ source: '/old/:path*', destination: '/cats/:path*', permanent: true }],
  headers: async () => [{ source: '/api/:path*', headers: [{ key: 'x-shop', value: 'cats' }] }],
};
