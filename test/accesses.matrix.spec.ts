import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, parties, propose, type Tokens, tokenOf } from './parties.ts';
import { type Running, run } from './running.ts';
import { document, fact, type Step, upTo, walkToJ3 } from './walk.ts';

/** Written in every fact that is withheld from abonnés only, or from the parties too. */
const TOLD_TO_PARTIES = 'MARQUE-PARTIES';
const INTERNAL = 'MARQUE-INTERNE';
const MARK = /MARQUE-(PARTIES|INTERNE)/;

/**
 * What each operation may show, and so records: facts of a dossier, lines of several, facts as they come, a whole dossier,
 * the log itself; or nothing that is withheld from anybody. A route that is not here fails.
 */
const SHOWS: Readonly<Record<string, 'faits-lus' | 'faits-suivis' | 'paquet-remis' | 'journal-lu' | null>> = {
  openDossier: 'faits-lus',
  proposeFact: 'faits-lus',
  getDossier: 'faits-lus',
  getHistory: 'faits-lus',
  getPastState: 'faits-lus',
  getDifference: 'faits-lus',
  replayDossier: 'faits-lus',
  getTimeline: 'faits-lus',
  listFindings: 'faits-lus',
  listDeadlines: 'faits-lus',
  getBundle: 'paquet-remis',
  subscribeCalendar: 'faits-suivis',
  streamEvents: 'faits-suivis',
  streamDossierEvents: 'faits-suivis',
  readFeed: 'faits-suivis',
  createWebhook: 'faits-suivis',
  changeWebhook: 'faits-suivis',
  replayWebhook: 'faits-suivis',
  listAccesses: 'journal-lu',
  ...Object.fromEntries(
    [
      ['listDossiers', 'getInclusionProof', 'getConsistencyProof', 'getCheckpoint', 'getKeys', 'readRegister'],
      ['readStatistics', 'listWebhooks', 'getWebhook', 'deleteWebhook', 'rotateWebhookSecret', 'testWebhook'],
      ['listDeliveries', 'makeCalendarToken', 'listCalendarTokens', 'revokeCalendarToken', 'listWorkflows'],
      ['getWorkflow', 'getDiagram', 'getRequirements', 'getFactSchema', 'makeDemonstrationToken', 'listProblems'],
      ['explainProblem', 'isAlive', 'isReady', 'getVersion', 'getMetrics'],
    ].flatMap((names) => names.map((name) => [name, null])),
  ),
};

/** What reads dossiers past their seal: controllers have none of it, whatever they import. */
const BARE =
  /\b(type Product\b.* from '.\/product.ts'|from '.\/timelines.ts'|readFeed\(|alreadyRecorded|Dossiers\(|factViews|dossierView|pastSituation|pastView|new Sealed)/;

/** Operations of which a mark shows in these answers, to somebody: the table does not say so for nothing. */
const MARKED = ['proposeFact', 'getDossier', 'getHistory', 'getPastState', 'getDifference', 'replayDossier'];
const MARKED_TOO = ['getTimeline', 'listFindings', 'getBundle', 'readFeed'];

/** The facts of a way, with a mark in each of those that are withheld from somebody. */
function marked(steps: readonly Step[]): Step[] {
  return steps.map((step) => {
    const data = { ...step.data };
    if (typeof data.constat === 'string') data.constat = `${TOLD_TO_PARTIES}-${data.constat}`;
    if (step.type === 'j2.constat-releve') data.description = TOLD_TO_PARTIES;
    if (step.type === 'j2.plan-d-action-remis') data.mesures = TOLD_TO_PARTIES;
    if (step.type === 'suivi.controle-ordonne' || step.type === 'suivi.griefs-abandonnes') data.motif = TOLD_TO_PARTIES;
    if (step.type === 'suivi.modification-notifiee') data.description = TOLD_TO_PARTIES;
    if (step.type === 'suivi.griefs-notifies') data.griefs = [TOLD_TO_PARTIES];
    if (step.type === 'suivi.observations-presentees') data.document = { ...document(TOLD_TO_PARTIES) };
    if (step.type === 'j3.enquete-conclue') data.reference = INTERNAL;
    if (step.type === 'j3.avis-rendu') data.motifs = [INTERNAL];
    return { ...step, data };
  });
}

type Operation = { operationId: string; parameters?: { name: string; in: string }[] };

let server: Running;
let tokens: Tokens;
let paths: Record<string, Record<string, Operation>>;
/** Two with confidential facts, before and after the decision, and one without. */
let dossiers: Record<'confidential' | 'followed' | 'plain', { id: string; event: string }>;
const now = new Date('2026-01-15T10:00:00Z');

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
  paths = (await server.call(null, 'GET', '/openapi.json')).body.paths;
  // Who gives the opinion is a mark too: the dossier remembers the author.
  const authors = { ...tokens, chef: await server.token('chef-de-bureau', { sub: INTERNAL }) };
  const confidential = await lead(server, authors, marked(upTo('j3.avis-rendu').map(plainly)));
  await propose(server, authors, confidential, fact('dossier.note-ajoutee', { texte: INTERNAL }));
  const afterwards = ['controle-ordonne', 'modification-notifiee', 'griefs-notifies', 'observations-presentees'];
  const surveyed = [...afterwards, 'griefs-abandonnes'].map((type) => fact(`suivi.${type}`));
  const followed = await lead(server, authors, marked([...walkToJ3().map(plainly), ...surveyed]));
  const plain = await lead(server, authors, upTo('j0.acceptee').map(plainly));
  const last = async (id: string) =>
    (await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/facts?limit=200`)).body.items.at(-1).id;
  dossiers = {
    confidential: { id: confidential, event: await last(confidential) },
    followed: { id: followed, event: await last(followed) },
    plain: { id: plain, event: await last(plain) },
  };
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

/** The officer is designated by a chargé: who gives the opinion does nothing else. */
function plainly(step: Step): Step {
  return step.type === 'candidature.charge-designe' ? { ...step, role: 'charge-de-qualification' } : step;
}

/** What is asked of an operation, about a dossier; a proposal is accepted from some, refused to others. */
function asked(operation: string, { id, event }: { id: string; event: string }): { query?: string; body?: unknown } {
  const { role: _, ...announced } = fact('dossier.cible-annoncee');
  const { role: __, ...deposit } = fact('candidature.deposee');
  const bodies: Record<string, unknown> = {
    openDossier: { workflow: 'secnumcloud', fact: deposit },
    proposeFact: announced,
    createWebhook: { url: 'https://reception.example/' },
    changeWebhook: { types: ['j2.*'] },
    replayWebhook: { from: 'start' },
    makeCalendarToken: {},
    makeDemonstrationToken: { role: 'auditeur' },
  };
  const queries: Record<string, string> = {
    getHistory: '?limit=200',
    getDifference: '?from=0',
    getInclusionProof: `?event=${event}`,
    getConsistencyProof: '?from=1&to=1',
    listFindings: `?limit=200&dossier=${id}`,
    listDeadlines: '?limit=200&open=all',
    listAccesses: `?limit=200&dossier=${id}`,
    streamEvents: '?after=start',
    streamDossierEvents: '?after=start',
    readFeed: '?limit=200',
  };
  return { query: queries[operation] ?? '', body: bodies[operation] };
}

function addressOf(template: string, id: string): string {
  const values: Record<string, string> = { name: 'secnumcloud', version: '1', type: 'j0.acceptee' };
  if (template.startsWith('/problems/')) values.name = 'interdit';
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? (name === 'id' ? id : event(name)));
}

/** No webhook and no calendar's token has this id. */
const event = (_: string) => '00000000-0000-4000-8000-000000000000';

/** The whole of an answer; of a stream what it begins with. */
async function answerTo(token: string | null, method: string, path: string, body: unknown): Promise<[number, string]> {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return [response.status, await response.text()];
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return [response.status, Buffer.from(value ?? []).toString()];
}

type Recorded = { type: string; sub: string; operation: string; dossier: unknown };

/** What the log of accesses has gained since a position. */
async function recordedSince(position: bigint | null): Promise<{ tip: bigint | null; records: Recorded[] }> {
  const records: Recorded[] = [];
  let tip = position;
  for await (const page of server.product.journal.readAll(position, { prefixes: ['acces-'] }))
    for (const { envelope, data, position: at } of page) {
      tip = at;
      const { operation, dossier } = data;
      records.push({ type: envelope.type, sub: envelope.actor.sub, operation: String(operation), dossier });
    }
  return { tip, records };
}

const routeOf = (method: string, path: string) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;

describe('chaque opération, pour chaque rôle, sur un dossier qui a des faits confidentiels et un qui n’en a pas', () => {
  test('dit dans cette table ce qu’elle peut montrer, et donc inscrit', () => {
    const all = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(all.sort()).toEqual(Object.keys(SHOWS).sort());
  });

  test('ce qui contient une marque confidentielle est inscrit, et rien ne l’est qui n’en contient pas', async () => {
    const callers: [string, string | null][] = [...Object.entries(tokens), ['personne', null]];
    const subOf: Record<string, string> = { autre: 'ailleurs' };
    const showed = new Set<string>();
    const wrong: string[] = [];
    // A record of what was done to lead the dossiers stands for what follows within the minute.
    let { tip, records: seen } = await recordedSince(null);
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { operationId }] of Object.entries(methods))
        for (const [name, dossier] of Object.entries(dossiers))
          for (const [caller, token] of callers) {
            if (operationId === 'openDossier' && name !== 'plain') continue;
            const { query = '', body } = asked(operationId, dossier);
            const [status, text] = await answerTo(
              token,
              method.toUpperCase(),
              addressOf(path, dossier.id) + query,
              body,
            );
            const sub = token === null ? '' : (subOf[caller] ?? subIn(token));
            const since = await recordedSince(tip);
            tip = since.tip;
            seen = [...seen, ...since.records];
            const cell = `${operationId} ${name} ${caller} ${status}`;
            if (status >= 500) wrong.push(`${cell} fails`);
            const shows = SHOWS[operationId];
            if (MARK.test(text)) {
              showed.add(operationId);
              const own = seen.filter((one) => one.sub === sub && one.operation === routeOf(method, path));
              if (!own.some(({ type }) => type === `acces.${shows}`)) wrong.push(`${cell} shows a mark, unrecorded`);
            }
            const isSpoken = since.records.some(({ type }) => type === 'acces.faits-lus');
            if (isSpoken && !MARK.test(text)) wrong.push(`${cell} is recorded, and shows no mark`);
            const isParty = ['prestataire', 'centre'].includes(caller);
            if (isParty && text.includes(INTERNAL)) wrong.push(`${cell} shows what is withheld from parties`);
            if (['abonne', 'administrateur', 'autre', 'personne'].includes(caller) && MARK.test(text))
              wrong.push(`${cell} shows a mark to whom no dossier is shown`);
          }
    expect(wrong).toEqual([]);
    for (const operation of [...MARKED, ...MARKED_TOO]) expect([...showed]).toContain(operation);
    for (const operation of showed) expect([operation, SHOWS[operation]]).not.toEqual([operation, null]);
  });

  test('aucun contrôleur ne reçoit ce qui se lit sans inscription', () => {
    const folder = join(import.meta.dirname, '../apps/api');
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.controller.ts')))
      expect([file, readFileSync(join(folder, file), 'utf8').match(BARE)?.[0]]).toEqual([file, undefined]);
  });

  test('un refus dont la liste dit un fait confidentiel est inscrit comme une lecture', async () => {
    const { tip } = await recordedSince(null);
    const { role, ...again } = fact('j3.avis-rendu');
    const path = `/api/dossiers/${dossiers.confidential.id}/facts`;
    expect((await server.call(tokenOf(tokens, role), 'POST', path, again)).status).toBe(409);
    const { records } = await recordedSince(tip);
    expect(records).toMatchObject([{ type: 'acces.faits-lus', dossier: dossiers.confidential.id }]);
    const other = await recordedSince(null);
    const plain = `/api/dossiers/${dossiers.plain.id}/facts`;
    expect((await server.call(tokenOf(tokens, role), 'POST', plain, again)).status).toBe(409);
    expect((await recordedSince(other.tip)).records).toEqual([]);
  });
});

function subIn(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()).sub;
}
