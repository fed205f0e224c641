// The server's REST interface, and its errors in words.

/** What this client speaks; the server tells a page of an older version to reload. */
export const CLIENT_VERSION = '2';
const PATIENCE_MS = 30_000;

/** @type {string | null} */
let reader = null;

/** From now on all that is asked is asked for this person: the server refuses it where another has signed in since. @param {string} id */
export const callAs = (id) => {
  reader = id;
};

/** Why the server did not do what was asked. */
export class ServerError extends Error {
  /** @param {string} text @param {number} status 0: never reached */
  constructor(text, status) {
    super(text);
    this.name = 'ServerError';
    this.status = status;
  }

  /** The same request may work later as it is: nothing was wrong with it. */
  get later() {
    return this.status === 0 || this.status >= 500 || this.status === 401 || this.status === 429 || this.outdated === true;
  }

  get unreachable() {
    return this.status === 0 || (this.status >= 502 && this.status <= 504);
  }

  /** Set where the page is older than the server. @type {boolean | undefined} */
  outdated;
}

/**
 * @param {'GET' | 'POST'} method @param {string} path under /review @param {object} [body]
 * @returns {Promise<any>} the JSON answer; raises ServerError
 */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`/review${path}`, {
      method,
      credentials: 'same-origin',
      headers: { 'X-Reading-Client': CLIENT_VERSION, ...asReader(path), ...(body ? { 'Content-Type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new ServerError('The server cannot be reached.', 0);
  }
  if (response.ok) return response.json();
  const error = new ServerError(await inWords(response), response.status);
  if (response.status === 409 && method === 'POST') error.outdated = await isOutdated();
  throw error;
}

/** `/me` is who is signed in now, whoever the page is of. @param {string} path @returns {Record<string, string>} */
const asReader = (path) => (reader === null || path === '/me' ? {} : { 'X-Reading-User': encodeURIComponent(reader) });

/** @param {Response} response */
async function inWords(response) {
  try {
    const { detail } = await response.json();
    if (typeof detail === 'string') return detail;
    if (Array.isArray(detail)) return detail.map((part) => part.msg ?? '').filter(Boolean).join('; ');
  } catch {
    // no JSON: the status says what there is to say
  }
  return response.status === 401 ? 'You are no longer signed in.' : `The server answered with error ${response.status}.`;
}

/** Raises ServerError where that cannot be learnt: then nobody knows yet whether the 409 is final. */
const isOutdated = async () => (await call('GET', '/me')).client !== CLIENT_VERSION;

/** Told while the page goes away, when no answer can be waited for. @param {string} tab */
export function releaseLeases(tab) {
  navigator.sendBeacon('/review/leases/release', new Blob([JSON.stringify({ tab })], { type: 'text/plain' }));
}
