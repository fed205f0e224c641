import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { call, callAs, CLIENT_VERSION } from '../src/server.js';

const { fetch } = globalThis;
afterEach(() => {
  globalThis.fetch = fetch;
});

const json = (body, status = 200) => new Response(JSON.stringify(body), { status });

/** What a refused POST comes to, with this answer to the question for the version. */
async function refusal(me) {
  globalThis.fetch = async (address) => (address === '/review/me' ? me() : json({ detail: 'This level was changed.' }, 409));
  return call('POST', '/reads', {}).then(() => assert.fail(), (error) => error);
}

test('a 409 of a server of this version is final', async () => {
  const { message, status, later } = await refusal(() => json({ client: CLIENT_VERSION }));
  assert.deepEqual([message, status, later], ['This level was changed.', 409, false]);
});

test('a 409 to an older page may be taken after a reload', async () => {
  const { outdated, later } = await refusal(() => json({ client: 'newer' }));
  assert.deepEqual([outdated, later], [true, true]);
});

test('a 409 is not final while nobody can be asked for the version', async () => {
  const away = await refusal(() => { throw new TypeError('down'); });
  assert.deepEqual([away.later, away.unreachable], [true, true]);
  assert.equal((await refusal(() => json({ detail: 'no' }, 401))).later, true);
  assert.equal((await refusal(() => json({ detail: 'no' }, 500))).later, true);
});

test('once it is known whose page it is, each call but that for who is signed in says so', async () => {
  const said = [];
  globalThis.fetch = async (address, { headers }) => {
    said.push([address, headers['X-Reading-User']]);
    return json({});
  };
  await call('POST', '/next', {});
  callAs('änna b');
  await call('POST', '/reads', {});
  await call('GET', '/me');
  assert.deepEqual(said, [['/review/next', undefined], ['/review/reads', '%C3%A4nna%20b'], ['/review/me', undefined]]);
});
