// A client of the running service: discovery, tokens for itself, somebody signed in, refreshed, signed out.
// node oauth4webapi.mjs '{"issuer": …}'; prints what it got as JSON.
import * as oauth from 'oauth4webapi'
import * as jose from 'jose'

const given = JSON.parse(process.argv[2])
const http = { [oauth.allowInsecureRequests]: true }
const got = {}

const issuer = new URL(given.issuer)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http))
const other = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { ...http, algorithm: 'oauth2' }))
got.same = JSON.stringify(as) === JSON.stringify(other)

const keys = jose.createRemoteJWKSet(new URL(as.jwks_uri))
async function verified(token, audience, typ = 'at+jwt') {
  return (await jose.jwtVerify(token, keys, { issuer: as.issuer, audience, typ })).payload
}

// for itself, by a key of its own, bound to another one (DPoP)
const signer = { client_id: 'signer' }
const key = await jose.importJWK(given.key, 'ES256')
const asSigner = oauth.PrivateKeyJwt({ key, kid: given.key.kid })
const pair = await oauth.generateKeyPair('ES256')
const DPoP = oauth.DPoP(signer, pair)
const mine = await oauth.processClientCredentialsResponse(as, signer, await oauth.clientCredentialsGrantRequest(
  as, signer, asSigner, new URLSearchParams({ resource: given.audience }), { ...http, DPoP }))
got.credentials = { ...await verified(mine.access_token, given.audience), token_type: mine.token_type }
got.thumbprint = await jose.calculateJwkThumbprint(await jose.exportJWK(pair.publicKey))

// refused: what the client may not have
try {
  await oauth.processClientCredentialsResponse(as, signer, await oauth.clientCredentialsGrantRequest(
    as, signer, asSigner, new URLSearchParams({ scope: 'mail.send' }), http))
} catch (error) {
  got.refused = error.error
}

// somebody signs in
const web = { client_id: 'web' }
const asWeb = oauth.ClientSecretBasic(given.secret)
const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const start = new URL(as.authorization_endpoint)
for (const [name, value] of Object.entries({
  client_id: 'web', redirect_uri: given.back, response_type: 'code', scope: 'openid offline_access mail.read',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', state, nonce,
  max_age: '3600',
})) start.searchParams.set(name, value)
const back = await signIn(start)
const parameters = oauth.validateAuthResponse(as, web, back, state)
const tokens = await oauth.processAuthorizationCodeResponse(as, web, await oauth.authorizationCodeGrantRequest(
  as, web, asWeb, parameters, given.back, verifier, http), { expectedNonce: nonce, maxAge: 3600, requireIdToken: true })
got.access = await verified(tokens.access_token, given.audience)
got.identity = oauth.getValidatedIdTokenClaims(tokens)
await verified(tokens.id_token, 'web', 'JWT')

const next = await oauth.processRefreshTokenResponse(as, web, await oauth.refreshTokenGrantRequest(
  as, web, asWeb, tokens.refresh_token, http))
got.refreshed = { sub: oauth.getValidatedIdTokenClaims(next).sub, another: next.refresh_token !== tokens.refresh_token }

const about = async (token) => (await oauth.processIntrospectionResponse(as, web, await oauth.introspectionRequest(
  as, web, asWeb, token, http))).active
got.before = await about(next.access_token)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, web, asWeb, next.refresh_token, http))
got.after = await about(next.access_token)
console.log(JSON.stringify(got))

// What a browser does: cookies, the form, the way back.
async function signIn(start) {
  const page = await fetch(start)
  const form = new URLSearchParams({ name: 'ada', password: 'lovelace' })
  for (const [, name, value] of (await page.text()).matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g))
    form.set(name, value.replaceAll('&amp;', '&'))
  const headers = { cookie: cookies(page), origin: issuer.origin }
  const done = await fetch(`${given.issuer}/sign-in`, { method: 'POST', body: form, headers, redirect: 'manual' })
  const on = new URL(done.headers.get('location'), issuer)
  const sent = await fetch(on, { headers: { cookie: cookies(done) }, redirect: 'manual' })
  return new URL(sent.headers.get('location'))
}

function cookies(answer) {
  return answer.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
}
