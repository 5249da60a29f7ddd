// npm oidc-provider doing client_credentials with signed JWT access tokens, one process for each core.
import cluster from 'node:cluster';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, algorithm, workers, modules] = process.argv.slice(2);

if (cluster.isPrimary && Number(workers) > 1) {
  for (let number = 0; number < Number(workers); number += 1) cluster.fork();
} else {
  const resolve = createRequire(`${modules}/package.json`).resolve;
  const { Provider } = await import(pathToFileURL(resolve('oidc-provider')));
  const kinds = {
    RS256: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    EdDSA: ['ed25519', {}],
  };
  const { privateKey } = generateKeyPairSync(...kinds[algorithm]);
  const jwk = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: algorithm, kid: 'k1' };
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    jwks: { keys: [jwk] },
    clients: [{
      client_id: 'bench', client_secret: 'a-secret-for-the-benchmark-only', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    enabledJWA: { authorizationSigningAlgValues: [algorithm], idTokenSigningAlgValues: [algorithm] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://mail.example',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'mail.read', audience: 'https://mail.example', accessTokenTTL: 3600,
          accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  });
  createServer(provider.callback()).listen(Number(port), '127.0.0.1');
}
