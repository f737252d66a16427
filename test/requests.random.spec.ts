import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, parties } from './parties.ts';
import { PostgresServer } from './postgres.ts';
import { type Came, type Described, Requests, randomFrom, type Sent, send } from './requests.ts';
import { type Running, run } from './running.ts';
import { EXAMPLES, OTHER, upTo, wayTo } from './walk.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const LONG = process.env.JALON_TEST === 'long';
const COUNT = LONG ? 100_000 : 600;
// In both kinds of stores by the long campaign: what one cannot hold, the other may.
const STORES = LONG ? ['SQLite', 'PostgreSQL'] : ['SQLite'];
const AT_ONCE = 12;

/** Requests to a server that has dossiers: of these, and of what the server says of itself, they are made. */
async function requestsTo(server: Running, cursors: string[]): Promise<Requests> {
  const tokens = await parties(server);
  const opened = await lead(server, tokens, upTo('candidature.deposee'));
  const evaluated = await lead(server, tokens, upTo('j3.avis-rendu'));
  const over = await lead(server, tokens, wayTo('retiree-par-le-demandeur'));
  const events: string[] = (await server.call(tokens.charge, 'GET', `/api/dossiers/${evaluated}/facts`)).body.items.map(
    ({ id }: { id: string }) => id,
  );
  const facts = Object.entries(EXAMPLES).map(([type, { data }]) => ({ type, data, effectiveAt: '2025-07-01' }));
  const bodies = [
    ...facts,
    ...facts.slice(0, 1).map((fact) => ({ workflow: 'secnumcloud', fact })),
    { type: 'dossier.note-ajoutee', data: { texte: 'x' }, onBehalfOf: { role: 'prestataire', org: 'x' } },
    { type: 'dossier.fait-rectifie', data: { fact: events[0], donnees: {}, motif: 'x' } },
    { type: 'dossier.fait-annule', data: { fait: events[2], motif: 'x' } },
    { url: 'https://127.0.0.1/', types: ['j0.*'], jalons: ['J0'], secret: 'whsec_x' },
    { url: 'javascript:1' },
    { from: 'start' },
    { state: 'disabled' },
    { label: 'Téléphone' },
    { role: 'prestataire', org: 'x', sub: 'y', nom: 'z' },
  ];
  const document: Described = (await server.call(null, 'GET', '/openapi.json')).body;
  const known = {
    tokens: Object.values(tokens),
    ids: [opened, evaluated, over, OTHER, ...events.slice(0, 3)],
    bodies,
    cursors,
  };
  return new Requests(document, known, randomFrom(seed));
}

// A stack trace, a path of ours, the name of a store.
const INSIDE = /\bat .+:\d+|node_modules|\.ts:|\.mjs|sqlite|FST_|TypeError|RangeError/i;

/** What is wrong with an answer, whatever the request. */
function wrongIn({ method }: Sent, { status, type, text }: Came): string | undefined {
  if (status >= 500) return 'the server is at fault';
  if (status < 400) return undefined;
  if (!type.startsWith('application/problem+json')) return `its type is ${type}`;
  if (method === 'HEAD') return undefined;
  const { type: uri, title, status: told, detail } = JSON.parse(text);
  if (told !== status || !/^\/problems\/[a-z-]+$/.test(uri) || !title || !detail) return 'it is no whole problem';
  if (INSIDE.test(text)) return 'it tells of the inside';
  return undefined;
}

describe.each(STORES)(`requests at random (seed ${seed}, again by JALON_SEED), over %s`, (store) => {
  let server: Running;
  let postgres: PostgresServer | undefined;
  let requests: Requests;
  const cursors: string[] = [];

  beforeAll(async () => {
    if (store === 'PostgreSQL') postgres = await PostgresServer.start();
    const env: Record<string, string> = postgres ? { DATABASE_URL: postgres.url } : {};
    server = await run({ now: () => new Date('2025-07-02T10:00:00Z'), env });
    requests = await requestsTo(server, cursors);
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await postgres?.stop();
  });

  test(
    `${COUNT} of them, from the document: each is answered, by what was asked or by a problem`,
    async () => {
      const wrong: unknown[] = [];
      const seen = new Map<number, number>();
      let left = COUNT;
      const one = async () => {
        while (left > 0 && wrong.length < 5) {
          left -= 1;
          const sent = requests.next();
          try {
            const came = await send(server.url, sent);
            seen.set(came.status, (seen.get(came.status) ?? 0) + 1);
            const next = /[?&](?:cursor|after)=([\w%-]+)/.exec(came.text)?.[1];
            if (next !== undefined && cursors.length < 50) cursors.push(decodeURIComponent(next));
            const fault = wrongIn(sent, came);
            if (fault !== undefined) wrong.push({ fault, sent: { ...sent, body: String(sent.body) }, came });
          } catch (fault) {
            wrong.push({ fault: String(fault), sent: { ...sent, body: String(sent.body) } });
          }
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      expect(wrong).toEqual([]);
      // They are not all refused at the door: each kind of answer is among them.
      expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 403, 404, 422]));
      expect(server.alarms).toEqual([]);
      // And the server is as it was.
      expect((await server.call(null, 'GET', '/health/ready')).body.status).toBe('ok');
    },
    COUNT * 60 + 30_000,
  );
});
