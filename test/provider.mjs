import { createServer } from 'node:http';

// A real OpenID Connect provider in a process of its own: it warns about its runtime on the console, and can be killed.
// Given by IPC: the private keys, and the audience of the access tokens it makes (RFC 9068, by resource indicator).
process.once('message', async ({ keys, audience, port }) => {
  const { default: Provider } = await import('oidc-provider');
  const server = createServer((request, response) => provider.callback()(request, response));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const client = (client_id, claims) => ({
    client_id,
    client_secret: 'a secret of the test only',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    ...claims,
  });
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [client('charge'), client('prestataire')],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
        }),
      },
    },
    extraTokenClaims: (_ctx, { clientId }) =>
      clientId === 'charge'
        ? { roles: ['charge-de-qualification'], name: 'Tifenn Corre' }
        : { roles: 'prestataire', org: 'Nuage de Brocéliande' },
  });
  process.send({ issuer });
});
