import { createServer } from 'node:http';

// An OpenID Connect provider where people log in, with its own pages; any name and any password will do. It is a process
// of its own: it warns about its runtime on the console. Given by IPC: its port, the audience of its access tokens, the
// address of the console.
process.once('message', async ({ port, audience, console: address }) => {
  const { default: Provider } = await import('oidc-provider');
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [
      {
        client_id: 'console',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: [`${address}/retour`],
      },
    ],
    pkce: { required: () => true },
    clientBasedCORS: (_ctx, origin) => origin === address,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: `Agent ${sub}` }) }),
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
        }),
      },
    },
    extraTokenClaims: (_ctx, { accountId }) => ({
      roles: ['charge-de-qualification', 'chef-de-bureau'],
      name: `Agent ${accountId}`,
    }),
  });
  createServer(provider.callback()).listen(port, '127.0.0.1', () => process.send({ ready: true }));
});
